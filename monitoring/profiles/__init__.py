"""Profiles: what is kept of rows. Integer counts that add up in any order, bit for bit."""

from monitoring.profiles.categorical import CategoricalProfile, CategoricalSpec
from monitoring.profiles.exact import Exact
from monitoring.profiles.numeric import NumericProfile, NumericSpec

__all__ = ["CategoricalProfile", "CategoricalSpec", "Exact", "NumericProfile", "NumericSpec"]
