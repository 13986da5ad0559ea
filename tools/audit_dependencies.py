"""Asks a database of advisories about all that the service installs, by pip-audit.

python -m tools.audit_dependencies [OPTIONS OF PIP-AUDIT], such as --vulnerability-service osv

Ends with 0 only where every package was looked up: left to itself, pip-audit counts a package that
its database does not know, or an index that has no advisories, as free of vulnerabilities.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import closure

VULNERABLE, UNKNOWN = 1, 2


def verdict(report: str, complaint: str = "") -> tuple[int, str]:
    """An exit status and what to say, from what pip-audit printed as JSON and as complaint."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        # Of a traceback the last line has the reason.
        reason = complaint.strip().rpartition("\n")[2] or "it said nothing"
        return UNKNOWN, f"nothing was audited, no database of advisories answered: {reason}"
    unknown = [each["name"] for each in packages if "skip_reason" in each]
    if len(unknown) == len(packages):
        return (
            UNKNOWN,
            f"nothing was audited, the database knows none of {len(packages)} packages",
        )
    lines = [
        f"{each['name']} {each['version']}: {found['id']}, "
        f"fixed in {found['fix_versions'] or 'none'}"
        for each in packages
        for found in each.get("vulns", ())
    ]
    status = VULNERABLE if lines else 0
    if unknown:
        status = status or UNKNOWN
        lines.append(f"not audited, the database does not know them: {', '.join(unknown)}")
    return status, "\n".join(lines) or f"{len(packages)} packages, and no advisory for any"


def main(options: list[str]) -> tuple[int, str]:
    """Runs pip-audit over the closure."""
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "requirements.txt"
        pins.write_text(closure.pins())
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(pins)]
        # The closure is complete and pinned: nothing is left to resolve.
        command += ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
        done = subprocess.run([*command, *options], capture_output=True, text=True)
    return verdict(done.stdout, done.stderr)


if __name__ == "__main__":
    status, message = main(sys.argv[1:])
    sys.stderr.write(message + "\n")
    sys.exit(status)
