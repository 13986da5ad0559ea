"""Renders model cards as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chestxray.checkpoints import Card
from chestxray.results import DISCLAIMER

INTENDED_USE = (
    "Research on automatic reading of chest X-rays, teaching, and load tests of services. Not for "
    "diagnosis, triage or any decision on a patient."
)
_PARTS = ("test", "test_without_siim", "test_siim", "external", "really_rotated")


def render(card: Card, *, command: str = "training.evaluate") -> str:
    """Describes the model, its training, its performance and its limitations."""
    config = card.training.get("config", {})
    lines = [
        f"# {card.name} {card.version}",
        "",
        f"**{DISCLAIMER}** Made by `python -m {command}`; do not edit.",
        "",
        f"- Intended use: {INTENDED_USE}",
        f"- Architecture: {card.architecture}; classes in order: {', '.join(card.labels)}",
        f"- Started from: {config.get('init', 'unknown')}; seed {config.get('seed', 'unknown')}",
        *([f"- Origin: {config['origin']}"] if config.get("origin") else []),
        *(f"- Mean of the weights of: {', '.join(mean)}" for mean in _averaged_checkpoints(card)),
        f"- Thresholds: {card.thresholds or 'none'}; temperature: {card.temperature}",
        "- Licence: research use only, since most training images are CC BY-NC or carry no licence",
        "",
        "## Performance",
        "",
        "Figures with their 95% interval and n.",
        *_performance(card),
        *_more(card.metrics),
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


def _averaged_checkpoints(card: Card) -> list[list[str]]:
    return [card.training["mean_of"]] if "mean_of" in card.training else []


def headline(card: Card) -> list[str]:
    """Rows of the README's table: one metric per subset."""
    return [
        f"| {card.name} | {part} | {name.replace('_', ' ')} | {rate(card.metrics[part][name])} |"
        for part in _PARTS
        for name in ("accuracy", "rejected_of_turned", "balanced_accuracy")
        if name in card.metrics.get(part, {})
    ]


def rate(found: Mapping[str, Any]) -> str:
    """Formats a metric with its interval and n."""
    return "{value:.3f} [{low:.3f}, {high:.3f}] (n={n})".format(**found)


def answers(parts: Mapping[str, Any]) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Head and rows of a table of what the service answers, part by part and class by class."""
    head = ("part", "class", "answered", "of them right", "answers")
    rows: list[Sequence[str]] = []
    for part, found in parts.items():
        whole = (part, "all", rate(found["share"]), _right(found), "")
        rows += [whole, *(_answers_of_class(*each) for each in found["classes"].items())]
    return head, rows


def _answers_of_class(label: str, found: Mapping[str, Any]) -> Sequence[str]:
    told = ", ".join(f"{answer} {count}" for answer, count in found["answers"].items())
    return ("", label, rate(found["share"]), _right(found), told)


def _right(found: Mapping[str, Any]) -> str:
    return rate(found["right"]) if "right" in found else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _performance(card: Card) -> Iterator[str]:
    for part in _PARTS:
        metrics = card.metrics.get(part)
        if metrics:
            yield from ("", f"### {part}", "")
            yield from _classes(card, metrics) if "sensitivity" in metrics else _rates(metrics)


def _rates(metrics: Mapping[str, Any]) -> list[str]:
    rows = [(name, rate(found)) for name, found in metrics.items() if "value" in found]
    rows += [(name, rate(found)) for name, found in metrics.get("verdict_recall", {}).items()]
    sources = metrics.get("accepted_by_source", {})
    rows += [(f"accepted of upright, {source}", rate(found)) for source, found in sources.items()]
    kinds = metrics.get("rejected_by_kind", {})
    rows += [(f"rejected of {kind}", rate(found)) for kind, found in kinds.items()]
    return table(("share", "value"), rows)


def _classes(card: Card, metrics: Mapping[str, Any]) -> list[str]:
    names = ("sensitivity", "specificity", "auc")
    rows = [
        (
            label,
            *(rate(metrics[n][c]) for n in names),
            " / ".join(map(str, metrics["confusion"][c])),
        )
        for c, label in enumerate(card.labels)
    ]
    head = ("actual", "sensitivity", "specificity", "AUC", f"predicted {' / '.join(card.labels)}")
    return [
        f"Balanced accuracy {rate(metrics['balanced_accuracy'])}",
        "",
        *table(head, rows),
    ]


def _more(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Sections that only a classifier has: answers, calibration, groups."""
    if "answered" in metrics:
        yield from ("", "### What the service answers, at its threshold", "")
        yield from table(*answers(metrics["answered"]))
        yield from ("", "### What the service answers, by source", "")
        yield from table(*answers(metrics["answered_by_source"]))
    if "calibration" not in metrics:
        return
    yield from ("", "### Calibration", "")
    errors = ("expected_calibration_error", "before_temperature")
    head = ("part", "expected calibration error", "before temperature scaling", "n")
    yield from table(
        head,
        [
            (part, *(f"{found[e]:.3f}" for e in errors), str(found["n"]))
            for part, found in metrics["calibration"].items()
        ],
    )
    yield from ("", "### Operating points, chosen on validation, on the test split", "")
    yield from _operating_points(metrics["operating_points"])
    yield from ("", "### Abnormal or not: 1 - p(no finding)", "")
    yield from table(
        ("part", "AUC"),
        [(part, rate(found["auc"])) for part, found in metrics.get("abnormal", {}).items()],
    )
    yield from _map(metrics.get("map", {}))
    yield from _appearance(metrics.get("appearance", {}))
    yield from _biases(metrics.get("biases", {}))
    for name in ("by_source", "by_age"):
        yield from ("", f"### {name.replace('_', ' ').capitalize()}", "")
        yield from _groups(metrics[name])


def _map(found: Mapping[str, Any]) -> Iterator[str]:
    """Agreement of the maps with radiologists' annotations on the test images of siim."""
    if not found:
        return
    yield from ("", "### The map against radiologists' boxes, siim test", "")
    names = ("pointing_game", "iou", "mass_in_lung_box")
    rows = [(which, *(rate(each[name]) for name in names)) for which, each in found.items()]
    yield from table(("map of", "pointing game", "IoU", "positive mass in the lung box"), rows)


def _appearance(found: Mapping[str, Any]) -> Iterator[str]:
    """The challenge's metric, for features that are shipped and a head that is not."""
    if not found:
        return
    yield from ("", "### The four study classes of the SIIM challenge, siim test", "")
    yield f"Mean average precision {rate(found['mean'])} of a logistic regression on the features;"
    yield f"the challenge's winners reached {found['winners']} on other films of that source."
    yield ""
    rows = [
        (name, f"{each['value']:.3f}", str(each["n"])) for name, each in found["classes"].items()
    ]
    yield from table(("study class", "average precision", "films"), rows)


def _biases(found: Mapping[str, Any]) -> Iterator[str]:
    """Whether a bias per class helped, by cross-validation on the validation split."""
    if not found:
        return
    yield from ("", "### A bias for each class", "")
    yield (
        f"Loss of held-out validation films {found['held_out_loss_without']:.4f} without, "
        f"{found['held_out_loss_with']:.4f} with one; "
        + (f"added: {found['added']}." if "added" in found else "none was added.")
    )


def _operating_points(points: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    head = ("question", "wanted sensitivity", "threshold", "sensitivity", "specificity")
    rows = [
        (
            point["label"],
            f"{point['wanted']:.2f}",
            f"{point['threshold']:.4f}",
            rate(point["sensitivity"]),
            rate(point["specificity"]),
        )
        for point in points
    ]
    yield from table(head, rows)
    yield from ("", "What a positive answer (and a negative one) is worth, by prevalence:", "")
    shares = list(points[0]["predictive_values"])
    worth = [
        (
            f"{point['label']} at {point['wanted']:.2f}",
            *(
                "{positive:.3f} ({negative:.3f})".format(**point["predictive_values"][share])
                for share in shares
            ),
        )
        for point in points
    ]
    yield from table(("threshold", *(f"{float(share):.0%}" for share in shares)), worth)
    yield from (
        "",
        "Shares of right answers, if sensitivity and specificity were elsewhere what they are on",
        "this test. They will not be: source and label of the public images are confounded.",
    )


def _groups(groups: Mapping[str, Any]) -> list[str]:
    names = ("sensitivity", "specificity", "auc")
    rows = [
        (group, label, *(rate(figures[n]) if n in figures else "" for n in names))
        for group, found in groups.items()
        for label, figures in found["classes"].items()
    ]
    return table(("group", "class", "sensitivity", "specificity", "AUC"), rows)
