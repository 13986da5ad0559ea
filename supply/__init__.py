"""What the service is made of, by commands; a bento has none of it."""
