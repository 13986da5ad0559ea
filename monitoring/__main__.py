"""Renders the alerting rules and dashboards into k8s/; --check only compares.

python -m monitoring [--check] [--runbooks URL]
"""

import argparse
import sys
from pathlib import Path

from monitoring import (
    alerts,
    callers,
    cluster,
    dicom_node,
    grafana,
    jobs,
    kept_analyses,
    objectives,
    public_address,
    rules,
    webhooks,
)
from monitoring.dashboards import dashboards

_K8S = Path(__file__).parents[1] / "k8s"
_COMPONENT, _PLAIN = _K8S / "components" / "monitoring", _K8S / "monitoring-plain"


def groups() -> list[rules.Group]:
    """Returns every rule group."""
    storage = (kept_analyses, webhooks, jobs, callers)
    sources = (objectives, alerts, *storage, dicom_node, public_address, cluster)
    return [group for source in sources for group in source.groups()]


def render(runbooks: str = rules.RUNBOOKS) -> dict[Path, str]:
    """Returns the content of every generated file, by its path."""
    return {
        _PLAIN / "rules.yaml": rules.plain(groups(), runbooks),
        _COMPONENT / "prometheusrule.yaml": rules.custom_resource(groups(), runbooks),
        **{
            _COMPONENT / "dashboards" / f"{board.name}.json": grafana.render(board)
            for board in dashboards()
        },
    }


def differing(runbooks: str = rules.RUNBOOKS) -> list[Path]:
    """Returns the generated files that are stale, missing or no longer generated."""
    files = render(runbooks)
    obsolete = set((_COMPONENT / "dashboards").glob("*")) - set(files)
    return [
        *obsolete,
        *(p for p, text in files.items() if not p.is_file() or p.read_text() != text),
    ]


def main() -> None:
    """Reads the options, and writes or compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a file is stale")
    parser.add_argument("--runbooks", default=rules.RUNBOOKS, help="URL of docs/runbooks")
    options = parser.parse_args()
    runbooks = options.runbooks.rstrip("/")
    if not options.check:
        for path, content in render(runbooks).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    elif names := [path.relative_to(_K8S.parent).as_posix() for path in differing(runbooks)]:
        sys.exit(f"stale generated files: {', '.join(names)}; run make format")


if __name__ == "__main__":
    main()
