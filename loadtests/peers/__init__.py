"""Other ways to serve the same two networks, each as its own documentation has it.

All read an image by `loadtests.reading`, so that they differ in serving alone, and get one file a
request. Each has an environment of its own, from the .txt beside it.
"""
