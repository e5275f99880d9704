"""Sums that no order of adding can change: floats are dyadic rationals, so integers hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_HALF = 27
_MASK = (1 << _HALF) - 1
#: Halves of at most 27 bits are summed as float64, exact up to this many rows at once.
_CHUNK = 1 << 25


@dataclass(frozen=True, slots=True)
class Exact:
    """The number ``mantissa · 2**exponent``; the mantissa is odd, or both are 0."""

    mantissa: int = 0
    exponent: int = 0

    @classmethod
    def of(cls, mantissa: int, exponent: int) -> Exact:
        """The same number in its one spelling."""
        if mantissa == 0:
            return cls()
        zeros = (mantissa & -mantissa).bit_length() - 1
        return cls(mantissa >> zeros, exponent + zeros)

    def __add__(self, other: Exact) -> Exact:
        low = min(self.exponent, other.exponent)
        return Exact.of(
            (self.mantissa << (self.exponent - low)) + (other.mantissa << (other.exponent - low)),
            low,
        )

    def fraction(self) -> Fraction:
        if self.exponent >= 0:
            return Fraction(self.mantissa << self.exponent)
        return Fraction(self.mantissa, 1 << -self.exponent)

    def __float__(self) -> float:
        """The nearest float; infinite when none is as large."""
        try:
            return float(self.fraction())
        except OverflowError:
            return float("inf") if self.mantissa > 0 else float("-inf")

    def as_json(self) -> list[Any]:
        return [f"{self.mantissa:x}", self.exponent]

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> Exact:
        return cls.of(int(value[0], 16), int(value[1]))


def exact_sum(values: Floats) -> Exact:
    """Σ of finite values, shape ``(n,)``, without rounding."""
    total = Exact()
    for mantissas, exponents in _pieces(values):
        parts = ((mantissas >> _HALF, _HALF), (mantissas & _MASK, 0))
        total += _gather(parts, exponents)
    return total


def exact_sum_of_squares(values: Floats) -> Exact:
    """Σ of the squares of finite values, shape ``(n,)``, without rounding."""
    total = Exact()
    for mantissas, exponents in _pieces(values):
        size = np.abs(mantissas)
        high, low = size >> _HALF, size & _MASK
        parts = []
        for product, shift in (
            (high * high, 2 * _HALF),
            (high * low, _HALF + 1),
            (low * low, 0),
        ):
            parts += [(product >> _HALF, shift + _HALF), (product & _MASK, shift)]
        total += _gather(tuple(parts), 2 * exponents)
    return total


def _pieces(values: Floats) -> Any:
    """Integer mantissas (53 bits) and exponents, a chunk at a time."""
    for start in range(0, values.size, _CHUNK):
        fractions, exponents = np.frexp(values[start : start + _CHUNK])
        yield np.ldexp(fractions, 53).astype(np.int64), exponents.astype(np.int64) - 53


def _gather(
    parts: tuple[tuple[NDArray[np.int64], int], ...], exponents: NDArray[np.int64]
) -> Exact:
    """Σ part · 2**(shift + exponent), where equal exponents are added together first."""
    levels, index = np.unique(exponents, return_inverse=True)
    total = Exact()
    for part, shift in parts:
        sums = np.bincount(index, weights=part.astype(np.float64), minlength=levels.size)
        for level, amount in zip(levels.tolist(), sums.tolist(), strict=True):
            total += Exact.of(int(amount), level + shift)
    return total
