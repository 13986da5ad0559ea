"""The web page: its documents and files, ready to send."""
