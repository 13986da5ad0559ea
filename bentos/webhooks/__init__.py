"""Webhooks: tells callers' receivers when a job has ended, by the Standard Webhooks convention."""
