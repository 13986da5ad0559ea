"""One module per public layout; each yields records of picture, label and patient."""
