"""Draws a learning-rate range test that is made here: `python docs/images/learning_rate_range.py`.

It is the one of `examples/learning-rate-range.yaml`, once for each of three optimizers.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

import tuning_trainer as tuning
from tuning_trainer.tasks.digits_lr_range import DIGITS_LR_RANGE, train
from tuning_trainer.tasks.parameters import read_all
from tuning_trainer.testing import FakeStudy, fake_study

CURVE, RAW, SUGGESTED, FAINT = "#3b7dd8", "#a9c7ee", "#1a7f37", "#8c959f"
MARKS = {"suggested_lr": ("o", "suggested (valley)"), "steepest_lr": ("v", "steepest"), "minimum_lr": ("s", "minimum / 10")}


def main() -> None:
    """Draw the picture beside this file."""
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 10, "axes.edgecolor": FAINT})
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
    for one, optimizer in zip(axes, ("adam", "sgd", "rmsprop"), strict=True):
        draw(one, optimizer, swept(optimizer))
    axes[0].set_ylabel("loss")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, ncols=len(labels), loc="outside lower center")
    figure.savefig(Path(__file__).with_name("learning-rate-range.png"), dpi=130)
    plt.close(figure)


def swept(optimizer: str) -> FakeStudy:
    """Make the test of one optimizer."""
    parameters = {"optimizer": optimizer}
    with fake_study(parameters, seed=42) as study:
        train(tuning.current_trial(), read_all(DIGITS_LR_RANGE.parameters, parameters))
    return study


def draw(axes: Axes, optimizer: str, study: FakeStudy) -> None:
    """Draw losses over rates with what they suggest."""
    rates, smoothed = study.values("lr"), study.values("smoothed_loss")
    axes.plot(rates, study.values("loss"), color=RAW, linewidth=1, label="loss")
    axes.plot(rates, smoothed, color=CURVE, linewidth=1.8, label="running mean")
    (low,), (high,) = study.values("range_min_lr"), study.values("range_max_lr")
    axes.axvspan(low, high, color=SUGGESTED, alpha=0.1, linewidth=0, label="range_min_lr to range_max_lr")
    for metric, (marker, label) in MARKS.items():
        (rate,) = study.values(metric)
        height = smoothed[min(range(len(rates)), key=lambda place: abs(rates[place] - rate))]
        axes.plot([rate], [height], marker, color=SUGGESTED, markersize=7, label=label, zorder=3)
    axes.set_xscale("log")
    axes.set_ylim(0, 5)
    axes.set_xlabel("learning rate")
    axes.set_title(optimizer, loc="left", fontsize=10, color="#57606a")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#eaeef2")
    axes.set_axisbelow(True)


if __name__ == "__main__":
    main()
