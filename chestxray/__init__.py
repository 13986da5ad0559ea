"""The core that training and serving share: labels, decoding, networks, checkpoints, wire types."""
