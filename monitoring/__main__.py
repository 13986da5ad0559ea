"""Writes the rules and dashboards that are deployed, from their descriptions here.

python -m monitoring [--check]
"""

import sys
from pathlib import Path

from monitoring import alerts, grafana, objectives, rules
from monitoring.dashboards import dashboards

_K8S = Path(__file__).parents[1] / "k8s"
_COMPONENT, _PLAIN = _K8S / "components" / "monitoring", _K8S / "monitoring-plain"


def render() -> dict[Path, str]:
    """Every file with what is in it."""
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
    """Files that are not what is described: other, missing, or left over."""
    files = render()
    left = set((_COMPONENT / "dashboards").glob("*")) - set(files)
    return [*left, *(p for p, text in files.items() if not p.is_file() or p.read_text() != text)]


if __name__ == "__main__":
    if "--check" not in sys.argv:
        for path, content in render().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    elif names := [path.relative_to(_K8S.parent).as_posix() for path in differing()]:
        sys.exit(f"not as described in monitoring/: {', '.join(names)}; run make format")
