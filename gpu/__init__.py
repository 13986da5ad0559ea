"""Tests and measurements that need a CUDA device, but no network (gpu/README.md)."""
