"""Puts results into the study of a radiograph, as DICOM objects that viewers show."""
