"""Alerting rules and dashboards as Python, rendered to files by `python -m monitoring`.

Thresholds come from the measured capacity, the settings and the load tests' objectives.
"""
