"""What watches the service: alerts and dashboards, described here, written as files by a command.

Every number that is measured or promised elsewhere is read from there.
"""
