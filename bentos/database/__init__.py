"""The database of kept analyses and API keys."""
