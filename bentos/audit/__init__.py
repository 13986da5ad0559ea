"""The record of who did what to which kept analysis or key."""
