"""Renders the alerting rules and dashboards into k8s/; --check only compares.

python -m monitoring [--check]
"""

import sys
from pathlib import Path

from monitoring import alerts, grafana, objectives, rules
from monitoring.dashboards import dashboards

_K8S = Path(__file__).parents[1] / "k8s"
_COMPONENT, _PLAIN = _K8S / "components" / "monitoring", _K8S / "monitoring-plain"


def render() -> dict[Path, str]:
    """Returns the content of every generated file, by its path."""
    groups = [*objectives.groups(), *alerts.groups()]
    return {
        _PLAIN / "rules.yaml": rules.plain(groups),
        _COMPONENT / "prometheusrule.yaml": rules.custom_resource(groups),
        **{
            _COMPONENT / "dashboards" / f"{board.name}.json": grafana.render(board)
            for board in dashboards()
        },
    }


def differing() -> list[Path]:
    """Returns the generated files that are stale, missing or no longer generated."""
    files = render()
    obsolete = set((_COMPONENT / "dashboards").glob("*")) - set(files)
    return [
        *obsolete,
        *(p for p, text in files.items() if not p.is_file() or p.read_text() != text),
    ]


if __name__ == "__main__":
    if "--check" not in sys.argv:
        for path, content in render().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    elif names := [path.relative_to(_K8S.parent).as_posix() for path in differing()]:
        sys.exit(f"stale generated files: {', '.join(names)}; run make format")
