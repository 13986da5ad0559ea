"""Core shared by training and serving: labels, image decoding, networks, checkpoints, wire
types."""
