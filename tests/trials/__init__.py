"""Load and fault trials against a running service; each is a command that prints a table."""
