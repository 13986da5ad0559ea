"""What only a machine with a CUDA device can show; it needs no network (gpu/README.md)."""
