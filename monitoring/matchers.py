"""What restricts a query to our pods, in rules and dashboards."""

JOB = 'job="chestxray"'
"""The job label that both scrape configurations set."""
BLACKBOX_JOB = 'job="chestxray-blackbox"'
"""The job label that the Probe and the plain scrape configuration set."""
GATEWAYS = 'workload!="classifier"'
"""Selects gateways. Classifier pods export some of the same series."""
CONTAINERS = 'container=~"gateway|classifier|dicom"'
"""The container of each workload has the workload's name."""

NAMESPACES = "chestxray:namespaces:present1d"
"""Recorded: the namespaces in which one of our pods was scraped within a day."""
IN_OUR_NAMESPACES = f"and on (namespace) {NAMESPACES}"
"""Restricts other programs' metrics to these: the names of our objects are common words."""
