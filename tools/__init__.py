"""Commands of the developer: locks, generated files, bill of materials, licences, advisories.

The service imports nothing of this, and neither the bento nor the image has it.
"""
