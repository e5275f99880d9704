"""Which coalitions of features to ask about: antithetic permutations, or all of them when few.

A mask is a boolean row of shape ``(F,)``: True takes the feature from the explained row, False
from the background. Masks are shared by all explained rows, so each is asked about once.
"""

from __future__ import annotations

from math import factorial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from evaluation.metrics.arrays import Bools, Floats


def permutation_pairs(features: int, pairs: int, seed: int) -> NDArray[np.int64]:
    """``pairs`` random orders of the features, shape ``(pairs, F)``; the same for the same seed.

    Each stands for two: itself and its reverse (antithetic), which halves the variance and more.
    """
    generator = np.random.default_rng(seed)
    return np.stack([generator.permutation(features) for _ in range(pairs)]).astype(np.int64)


def chain(order: NDArray[np.int64]) -> Bools:
    """The F + 1 masks of one order: none, its first feature, its first two, …, all."""
    features = order.size
    masks = np.zeros((features + 1, features), dtype=np.bool_)
    for step, feature in enumerate(order):
        masks[step + 1 :, feature] = True
    return masks


def key_of(mask: Bools) -> bytes:
    """A mask as bytes, to look it up by."""
    return np.packbits(mask).tobytes()


def all_masks(features: int) -> Bools:
    """All 2^F masks, shape ``(2^F, F)``."""
    numbers = np.arange(2**features, dtype=np.uint32)
    return (numbers[:, None] >> np.arange(features, dtype=np.uint32) & 1).astype(np.bool_)


def exact_values(features: int, value_of: dict[bytes, Floats]) -> Floats:
    """Shapley values from all coalitions, shape ``(rows, F)``.

    Args:
        value_of: mask key to the values of that coalition, shape ``(rows,)``.
    """
    masks = all_masks(features)
    rows = next(iter(value_of.values())).size
    phi = np.zeros((rows, features))
    for mask in masks:
        size = int(mask.sum())
        if size == features:
            continue
        weight = factorial(size) * factorial(features - size - 1) / factorial(features)
        here = value_of[key_of(mask)]
        for feature in np.flatnonzero(~mask):
            grown = mask.copy()
            grown[feature] = True
            phi[:, feature] += weight * (value_of[key_of(grown)] - here)
    return phi


def pair_values(order: NDArray[np.int64], value_of: dict[bytes, Floats]) -> Floats:
    """Mean contributions along one order and its reverse, shape ``(rows, F)``."""
    rows = next(iter(value_of.values())).size
    phi = np.zeros((rows, order.size))
    for direction in (order, order[::-1]):
        values = [value_of[key_of(mask)] for mask in chain(direction)]
        for step, feature in enumerate(direction):
            phi[:, feature] += (values[step + 1] - values[step]) / 2
    return phi
