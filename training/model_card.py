"""A card as Markdown, for people."""

from typing import Any

from chestxray.checkpoints import Card
from chestxray.results import DISCLAIMER


def render(card: Card) -> str:
    """Writes what the model is, how it was made, how well it did, and what to beware of."""
    config = card.training.get("config", {})
    lines = [
        f"# {card.name} {card.version}",
        "",
        f"**{DISCLAIMER}** Made by `python -m training.evaluate`; do not edit.",
        "",
        f"- Architecture: {card.architecture}; classes in order: {', '.join(card.labels)}",
        f"- Started from: {config.get('init', 'unknown')}; seed {config.get('seed', 'unknown')}",
        f"- Thresholds: {card.thresholds or 'none'}; temperature: {card.temperature}",
        "- Licence: research use only, since most training images are CC BY-NC or carry no licence",
        "",
        *_performance(card),
        "",
        "## Beware",
        "",
        *(f"- {caveat}" for caveat in card.caveats),
        "",
        "## Data",
        "",
        *(f"- {split}: {digest}" for split, digest in card.data_digests.items()),
    ]
    return "\n".join(lines) + "\n"


def headline(card: Card) -> list[str]:
    """The rows of the README's table: one figure per part that was measured."""
    return [
        f"| {card.name} | {part} | {name.replace('_', ' ')} | {_rate(metrics[name])} |"
        for part, metrics in card.metrics.items()
        for name in ("accuracy", "rejected_of_turned", "balanced_accuracy")
        if name in metrics
    ]


def _performance(card: Card) -> list[str]:
    lines = ["## Performance", "", "Shares with their 95% interval and n.", ""]
    for part, metrics in card.metrics.items():
        lines += [f"### {part}", ""]
        lines += _classes(card, metrics) if "confusion" in metrics else _rates(metrics)
        lines += [""]
    return lines[:-1]


def _rates(metrics: dict[str, Any]) -> list[str]:
    rows = []
    for name, value in metrics.items():
        nested = name == "verdict_recall"
        rows += [f"| {k} | {_rate(v)} |" for k, v in (value if nested else {name: value}).items()]
    return ["| share | value |", "|---|---|", *rows]


def _classes(card: Card, metrics: dict[str, Any]) -> list[str]:
    figures = zip(
        card.labels,
        metrics["sensitivity"],
        metrics["specificity"],
        metrics["auc"],
        metrics["confusion"],
        strict=True,
    )
    return [
        f"Balanced accuracy {_rate(metrics['balanced_accuracy'])}",
        "",
        f"| actual | sensitivity | specificity | AUC | predicted {' / '.join(card.labels)} |",
        "|---|---|---|---|---|",
        *(
            f"| {label} | {sens:.3f} | {spec:.3f} | {auc:.3f} | {' / '.join(map(str, row))} |"
            for label, sens, spec, auc, row in figures
        ),
    ]


def _rate(rate: dict[str, float]) -> str:
    return "{value:.3f} [{low:.3f}, {high:.3f}] (n={n})".format(**rate)
