"""Profiles: what is counted, that it adds up bit for bit, and that no rare name is kept."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.profiles import CategoricalProfile, CategoricalSpec, Exact
from monitoring.profiles import NumericProfile as Numeric
from monitoring.profiles import NumericSpec as Spec
from monitoring.profiles import columns as by_column
from monitoring.profiles.categorical import labels
from monitoring.profiles.codec import Damaged, pack_counts, pack_spec, unpack_profile, unpack_spec
from monitoring.profiles.exact import exact_sum, exact_sum_of_squares
from monitoring.profiles.numeric import GRID_EDGES

NAN, INF = float("nan"), float("inf")
finite = st.floats(allow_nan=False, allow_infinity=False)
any_float = st.floats()


def same(one: Numeric, other: Numeric) -> bool:
    return one.facts() == other.facts() and pack_counts(one) == pack_counts(other)


def test_a_profile_by_hand():
    spec = Spec.from_reference(np.array([1.0, 2.0, 2.0, 3.0]), tails=0)
    profile = Numeric.of(np.array([2.0, 0.0, 5.0, NAN, INF, -INF, 2.0]), spec)

    assert spec.edges.tolist() == [1.0, 2.0, 3.0]
    assert spec.is_discrete
    assert profile.bins.tolist() == [1, 2, 0, 1]  # ≤1, (1, 2], (2, 3], over 3
    assert (profile.rows, profile.nulls, profile.pos_inf, profile.neg_inf) == (7, 1, 1, 1)
    assert (profile.zeros, profile.finite, profile.grid.sum()) == (1, 4, 4)
    assert (float(profile.total), float(profile.total_sq), profile.mean) == (9.0, 33.0, 2.25)
    assert profile.deviation == pytest.approx(np.std([2, 0, 5, 2]))


@settings(max_examples=60, deadline=None)
@given(st.lists(any_float, max_size=60), st.lists(any_float, max_size=60), st.randoms())
def test_adding_in_any_order_gives_the_same_bytes(left, right, random):
    spec = Spec.from_reference(np.linspace(-5, 5, 1000))
    whole = [*left, *right]
    random.shuffle(whole)
    one = Numeric.of(np.array(left, dtype=float), spec)
    two = Numeric.of(np.array(right, dtype=float), spec)

    assert same(one + two, two + one)
    assert same(one + two, Numeric.of(np.array(whole, dtype=float), spec))
    assert same(one + Numeric.empty(spec), one)


@settings(max_examples=100, deadline=None)
@given(st.lists(finite, max_size=40))
def test_sums_are_exact(values):
    array = np.array(values, dtype=float)

    assert exact_sum(array).fraction() == sum(map(Fraction, values), Fraction(0))
    assert exact_sum_of_squares(array).fraction() == sum(
        (Fraction(value) ** 2 for value in values), Fraction(0)
    )


def test_exact_numbers_have_one_spelling_and_know_infinity():
    assert Exact.of(12, 0) == Exact(3, 2) == Exact.from_json(Exact.of(6, 1).as_json())
    assert Exact.of(0, 99) == Exact()
    assert float(Exact(1, 5000)) == INF
    assert float(Exact(-1, 5000)) == -INF
    assert Exact.from_json(Exact(-5, -3).as_json()) == Exact(-5, -3)


def test_float_sums_would_depend_on_the_order():
    """Why the sums are exact: plain floats give two answers."""
    assert (0.1 + 0.2) + 0.3 != 0.1 + (0.2 + 0.3)
    parts = [Exact.of(*_parts(value)) for value in (0.1, 0.2, 0.3)]
    assert (parts[0] + parts[1]) + parts[2] == parts[0] + (parts[1] + parts[2])


def _parts(value: float) -> tuple[int, int]:
    top, bottom = value.as_integer_ratio()
    return top, 1 - bottom.bit_length()


def test_the_grid_is_the_same_on_every_machine():
    """Edges are products of Python floats, so their digest is a constant."""
    import hashlib

    digest = hashlib.sha256(GRID_EDGES.astype("<f8").tobytes()).hexdigest()
    assert digest == "e2e5348f6f22a50f0110dd5983d89c37eca0f0185da227633a8592a35eac4f7c"
    assert (np.diff(GRID_EDGES) > 0).all()


def test_points_are_exact_at_both_histograms_edges():
    generator = np.random.default_rng(0)
    values = generator.normal(50, 10, 5000)
    spec = Spec.from_reference(values)
    profile = Numeric.of(values, spec)

    points, counts = profile.points(spec)

    assert counts.sum() == 5000
    for edge in (*spec.edges[::16], 0.0, 51.0):
        index = np.searchsorted(points, edge, side="right") - 1
        if points[index] == edge:
            assert counts[: index + 1].sum() == (values <= edge).sum()
    assert profile.quantile(0.5, spec) == pytest.approx(np.median(values), rel=0.01)
    assert Numeric.empty(spec).quantile(0.5, spec) is None


def test_a_constant_an_empty_and_an_infinite_reference():
    constant = Spec.from_reference(np.array([4.5, 4.5]))
    assert Numeric.of(np.array([4.5, 5.0]), constant).bins.tolist() == [1, 1]
    for hopeless in ([], [NAN], [INF, -INF]):
        with pytest.raises(ValueError, match="finite"):
            Spec.from_reference(np.array(hopeless, dtype=float))


def test_values_outside_the_references_range_are_told_apart():
    """An air pressure: the grid is 20 wide there, the tail a thirtieth of the range."""
    generator = np.random.default_rng(0)
    before, after = generator.normal(1012, 5, 4000), generator.normal(1035, 1, 4000)
    spec = Spec.from_reference(before)
    profile = Numeric.of(after, spec)
    assert profile.quantile(0.5, spec) == pytest.approx(1035, abs=1)
    whole = Spec.from_reference(np.array([0.0, 1.0, 6.0]))
    assert (whole.edges == np.round(whole.edges)).all()
    assert {7.0, -1.0} <= set(whole.edges)


def test_tails_of_a_hopeless_range_are_left_out():
    spec = Spec.from_reference(np.array([-1.7e308, 1.7e308]))
    assert np.isfinite(spec.edges).all()


def test_huge_values_stay_on_the_grids_ends():
    spec = Spec.from_reference(np.array([1.0, 2.0]), tails=0)
    profile = Numeric.of(np.array([1e300, -1e300]), spec)
    points, counts = profile.points(spec)
    assert (counts[0], counts[-1]) == (1, 1)
    assert (points[0], points[-1]) == (GRID_EDGES[0], GRID_EDGES[-1])


def test_categories_other_unseen_and_missing():
    reference = pa.array(["a"] * 10 + ["b"] * 6 + ["rare"] + [None])
    spec = CategoricalSpec.from_reference(reference, salt=b"s")
    profile = CategoricalProfile.of(pa.array(["a", "b", "rare", "new", None, "a"]), spec)

    assert spec.categories == ("a", "b")
    assert profile.counts.tolist() == [2, 1, 1, 1]
    assert (profile.unseen, profile.nulls, profile.rows) == (1, 1, 6)
    assert list(labels(spec)) == ["a", "b", "other", "unseen", "missing"]
    assert profile.with_nulls().sum() == 6
    assert (profile + CategoricalProfile.empty(spec)).counts.tolist() == profile.counts.tolist()


def test_a_rare_category_is_not_kept_by_name():
    reference = pa.array(["common"] * 20 + ["Zacharias Canary"] * 4)
    packed = pack_spec(CategoricalSpec.from_reference(reference, salt=b"s"))
    spec = unpack_spec("categorical", packed)

    assert "Zacharias Canary" not in str(spec)
    assert spec.place("Zacharias Canary") == 1  # other: it was there, without its name
    assert spec.place("somebody new") == 2
    other_salt = CategoricalSpec.from_reference(reference, salt=b"t")
    assert spec.rare.isdisjoint(other_salt.rare)


def test_dictionaries_booleans_and_long_names_are_text():
    spec = CategoricalSpec.from_reference(pa.array([True] * 9 + [False] * 9), salt=b"")
    assert spec.categories == ("false", "true")
    encoded = pa.array(["x"] * 9).dictionary_encode()
    assert CategoricalSpec.from_reference(encoded).categories == ("x",)


def test_what_is_packed_comes_back():
    numeric = Spec.from_reference(np.random.default_rng(0).normal(size=2000))
    profile = Numeric.of(np.array([1.5, NAN, 0.0]), numeric)
    again = unpack_spec("numeric", pack_spec(numeric))
    assert np.array_equal(again.edges, numeric.edges)
    assert again.is_discrete == numeric.is_discrete
    assert same(unpack_profile(again, pack_counts(profile), profile.facts()), profile)

    text = CategoricalSpec.from_reference(pa.array(["é"] * 9), salt=b"k")
    assert unpack_spec("categorical", memoryview(pack_spec(text))) == text


@pytest.mark.parametrize("data", [b"", b"\x02abc", b"\x01not zlib"])
def test_damaged_bytes_are_noticed(data):
    with pytest.raises(Damaged):
        unpack_spec("numeric", data)


def test_counts_of_another_spec_are_noticed():
    one, two = Spec(np.array([1.0])), Spec(np.array([1.0, 2.0]))
    profile = Numeric.of(np.array([1.0]), one)
    with pytest.raises(Damaged):
        unpack_profile(two, pack_counts(profile), profile.facts())


def test_a_count_column_is_its_lengths_only():
    values = pa.array(["aaaa", "bb", None])
    spec = by_column.spec_of(values, kind="categorical", policy="count", salt=b"")
    profile = by_column.profile_of(values, spec, policy="count")
    assert isinstance(profile, Numeric)
    assert (float(profile.total), profile.nulls) == (6.0, 1)
    assert by_column.lengths(pa.array([12345.0, None])).tolist()[0] == 5.0


def test_profiles_of_different_kinds_do_not_add_up():
    numeric = Numeric.of(np.array([1.0]), Spec(np.array([1.0])))
    text = CategoricalProfile.empty(CategoricalSpec(("a",), frozenset()))
    with pytest.raises(TypeError):
        by_column.add(numeric, text)
