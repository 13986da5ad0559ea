"""Kept analyses: their records in a database, their pictures in an object store."""
