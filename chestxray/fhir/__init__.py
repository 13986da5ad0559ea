"""Results as FHIR resources."""
