"""Says what a cluster lacks for a folder of manifests, before anything of it is applied."""
