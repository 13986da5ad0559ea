"""Alerts on jobs, whose images wait in the database of all gateways."""

from monitoring.rules import Alert, Group

_LATE_SECONDS = 3600.0
_WAITING = "max by (namespace) (chestxray_job_items_waiting)"
"""Every gateway reports the number of all."""


def groups() -> list[Group]:
    """Returns the rules on images that wait."""
    return [Group("chestxray.jobs", "1m", [_stalled(), _late()])]


def _done(function: str) -> str:
    return f"sum by (namespace) ({function}(chestxray_job_items_total[30m]))"


def _stalled() -> Alert:
    return Alert(
        name="ChestxrayJobsStalled",
        severity="warning",
        # Jobs yield to interactive images, but one worker of each gateway goes on.
        query=f"{_WAITING} > 0\nand on (namespace)\n{_done('increase')} == 0",
        lasts="30m",
        summary="Images of jobs wait, and none is analysed",
        description="""
            {{ $value }} images of jobs wait, and none of any job got its result for half an
            hour.""",
    )


def _late() -> Alert:
    return Alert(
        name="ChestxrayJobsLate",
        severity="warning",
        query=f"{_WAITING}\n/\n({_done('rate')} > 0)\n> {_LATE_SECONDS:g}",
        lasts="30m",
        summary="Jobs take hours",
        description="""
            At the speed of the last half hour the images of jobs that wait need
            {{ $value | humanizeDuration }} more.""",
    )
