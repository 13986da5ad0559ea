"""Reads one radiograph from a DICOM file: header, codestream, grey values, in this order."""
