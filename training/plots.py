"""Plots of a run as SVG, for inline use in a report."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from training.engine import Epoch
from training.metrics import Floats, Ints

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "chestxray"  # deterministic SVG
matplotlib.rcParams["svg.fonttype"] = "none"
COLOURS = ("#0072b2", "#e69f00", "#cc3311")
"""Class colours in label order, safe for colour vision deficiency (Okabe and Ito 2008)."""


def learning_curves(history: Sequence[Epoch]) -> str:
    """Loss, linear and logarithmic, and accuracy by epoch (paper, figures 6 and 7)."""
    with_accuracy = not all(math.isnan(line.val_accuracy) for line in history)
    figure, axes = _figure(2 + with_accuracy)
    for axis, scale in zip(axes, ("linear", "log"), strict=False):
        _curve(axis, history, "loss")
        axis.set(yscale=scale, ylabel=f"loss ({scale})")
    if with_accuracy:
        _curve(axes[2], history, "accuracy")
        axes[2].set(ylabel="accuracy")
    return _svg(figure)


def _curve(axis: Axes, history: Sequence[Epoch], what: str) -> None:
    epochs = [line.epoch for line in history]
    for part, colour in (("train", COLOURS[0]), ("val", COLOURS[1])):
        values = [getattr(line, f"{part}_{what}") for line in history]
        axis.plot(epochs, values, marker=".", color=colour, label=part)
    axis.set(xlabel="epoch")
    axis.legend(frameon=False)


def confusion(matrices: Mapping[str, Sequence[Sequence[int]]], labels: Sequence[str]) -> str:
    """Confusion matrices side by side: counts, shaded by share of the row."""
    side = 1.0 + 0.7 * len(labels)
    figure, axes = _figure(len(matrices), width=side + 1.4, height=side + 0.6)
    for axis, (name, matrix) in zip(axes, matrices.items(), strict=True):
        counts = np.array(matrix)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axis.text(column, row, str(count), ha="center", va="center", color=colour)
        ticks = range(len(labels))
        axis.set_xticks(ticks, labels, rotation=45, ha="right")
        axis.set_yticks(ticks, labels)
        axis.set(title=name, xlabel="predicted", ylabel="actual")
    return _svg(figure)


def roc(parts: Mapping[str, tuple[Floats, Ints]], labels: Sequence[str]) -> str:
    """One-vs-rest ROC curves of each class; parts are probabilities (N, C), labels (N,)."""
    figure, axes = _figure(len(parts))
    for axis, (name, (probabilities, truth)) in zip(axes, parts.items(), strict=True):
        for c, label in enumerate(labels):
            false, true, _ = roc_curve(truth == c, probabilities[:, c])
            axis.plot(false, true, color=COLOURS[c], label=label)
        axis.plot([0, 1], [0, 1], color="grey", linestyle=":")
        axis.set(title=name, xlabel="1 - specificity", ylabel="sensitivity")
        axis.legend(frameon=False, loc="lower right")
    return _svg(figure)


def reliability(parts: Mapping[str, Mapping[str, Any]]) -> str:
    """Reliability diagrams: accuracy over confidence; a dot's area is proportional to its
    images.
    """
    figure, axes = _figure(len(parts))
    for axis, (name, found) in zip(axes, parts.items(), strict=True):
        bins = found["bins"]
        confidence = [b["confidence"] for b in bins]
        area = [20 + 400 * b["n"] / found["n"] for b in bins]
        axis.plot([0, 1], [0, 1], color="grey", linestyle=":")
        axis.plot(confidence, [b["accuracy"] for b in bins], color=COLOURS[0])
        axis.scatter(confidence, [b["accuracy"] for b in bins], area, COLOURS[0], alpha=0.5)
        title = f"{name}: error {found['expected_calibration_error']:.3f}"
        axis.set(title=title, xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    return _svg(figure)


def curves(groups: Mapping[str, Mapping[str, Sequence[float]]], ylabel: str) -> str:
    """Lines over an axis from 0 to 1: one panel per group, one line per name."""
    figure, axes = _figure(len(groups))
    for axis, (title, lines) in zip(axes, groups.items(), strict=True):
        for (name, values), colour in zip(lines.items(), COLOURS, strict=False):
            axis.plot(np.linspace(0, 1, len(values)), values, color=colour, label=name)
        axis.set(title=title, xlabel="share of the image", ylabel=ylabel)
        axis.legend(frameon=False)
    return _svg(figure)


def projection(
    points: Sequence[Sequence[float]], names: Sequence[str], order: Sequence[str]
) -> str:
    """Scatter plot of the first two projected dimensions, by class."""
    figure, (axis,) = _figure(1, width=5.5, height=4.5)
    places = np.array(points)
    for label, colour in zip(order, COLOURS, strict=True):
        chosen = places[np.array(names) == label]
        axis.scatter(chosen[:, 0], chosen[:, 1], 10, colour, alpha=0.6, label=label)
    axis.set(xlabel="axis 1", ylabel="axis 2")
    axis.legend(frameon=False)
    return _svg(figure)


def _figure(panels: int, *, width: float = 4.2, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width * panels, height), layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, panels)))


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
