"""Data sets, one module each; each yields records with image path, label and patient."""
