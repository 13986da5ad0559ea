"""Trials by load and by fault against a really started service; each is a command with a table."""
