"""Alerts on what the blackbox exporter sees of the public address, from outside."""

from monitoring.matchers import BLACKBOX_JOB
from monitoring.rules import Alert, Group, Severity

EXPIRY_DAYS: dict[Severity, int] = {"warning": 14, "critical": 3}
"""cert-manager renews a certificate of 90 days when 30 are left, so at 14 it has failed a while."""


def groups() -> list[Group]:
    """Returns the rules on the public address; without its scrape job none of them fires."""
    expiry = [_expiry(severity, days) for severity, days in EXPIRY_DAYS.items()]
    return [Group("chestxray.public_address", "30s", [_down(), _probe_down(), *expiry])]


def _down() -> Alert:
    return Alert(
        name="ChestxrayPublicAddressDown",
        severity="critical",
        query=f"probe_success{{{BLACKBOX_JOB}}} == 0",
        lasts="2m",
        summary="{{ $labels.instance }} does not answer",
        description="""
            The blackbox exporter gets no 2xx response from the public address: clients see errors,
            whatever the gateways report about themselves.""",
    )


def _probe_down() -> Alert:
    return Alert(
        name="ChestxrayProbeDown",
        severity="warning",
        query=f"up{{{BLACKBOX_JOB}}} == 0",
        lasts="10m",
        summary="Nobody watches {{ $labels.instance }} from outside",
        description="""
            Prometheus cannot scrape the blackbox exporter. Until it can, an outage of the public
            address or an expired certificate raises no alert.""",
    )


def _expiry(severity: Severity, days: int) -> Alert:
    return Alert(
        name="ChestxrayCertificateExpiry",
        severity=severity,
        query=f"""
            (probe_ssl_earliest_cert_expiry{{{BLACKBOX_JOB}}} - time()) / 86400 < {days}
        """,
        lasts="10m",
        summary="The certificate of {{ $labels.instance }} expires soon",
        description=f"""
            It expires in {{{{ $value | printf "%.1f" }}}} days; this alert fires at {days}. Once it
            has expired, browsers and clients refuse to connect.""",
    )
