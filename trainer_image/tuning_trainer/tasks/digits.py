"""Scikit-learn's 1,797 handwritten digits, in a fixed split: real data, no download, seconds to train on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PIXELS = 64
"""Length of an image: 8 x 8 grey values from 0 to 16."""

CLASSES = 10

VALIDATION_IMAGES = 360
"""Images that are scored; the other 1,437 are learned from. The split is the same in all trials."""


@dataclass(frozen=True)
class Digits:
    """Images (float, n x 64, 0 to 1) and labels (int64, n), to learn from and to be scored."""

    train_images: torch.Tensor
    train_labels: torch.Tensor
    validation_images: torch.Tensor
    validation_labels: torch.Tensor


def load_digits(device: torch.device) -> Digits:
    """Read the digits from scikit-learn's files; importing scikit-learn for them would take longer than training."""
    from importlib.util import find_spec
    from pathlib import Path

    import numpy as np
    import torch

    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the digits come with scikit-learn: install tuning-operator[trainer]")
    table = np.loadtxt(Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    rows = torch.from_numpy(table)[torch.randperm(len(table), generator=torch.Generator().manual_seed(0))]
    images = (rows[:, :PIXELS] / 16).float().to(device)
    labels = rows[:, PIXELS].long().to(device)
    return Digits(
        train_images=images[VALIDATION_IMAGES:],
        train_labels=labels[VALIDATION_IMAGES:],
        validation_images=images[:VALIDATION_IMAGES],
        validation_labels=labels[:VALIDATION_IMAGES],
    )
