"""Other servers for the same two networks, each set up as its documentation recommends.

All use `loadtests.baseline`, so that they differ only in serving, and take one file per request.
Each has its own environment, from the .txt file of the same name.
"""
