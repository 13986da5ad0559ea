"""Jobs: many images that wait for their analysis, in the database and the object store."""
