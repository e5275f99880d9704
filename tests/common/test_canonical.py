"""Canonical JSON: the same content, the same bytes."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.canonical import (
    canonical_json,
    canonical_number,
    digest_of,
    floats_to_text,
    sha256_hex,
)

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


def test_keys_are_sorted_and_nothing_is_between():
    assert canonical_json({"b": [1, True, None], "a": "ä"}) == '{"a":"\\u00e4","b":[1,true,null]}'


@given(PLAIN)
def test_it_reads_back_the_same(value):
    assert json.loads(canonical_json(value)) == value
    assert canonical_json(json.loads(canonical_json(value))) == canonical_json(value)


@given(st.dictionaries(st.text(max_size=4), st.integers(), max_size=6))
def test_the_order_of_keys_changes_nothing(value):
    turned = dict(reversed(value.items()))

    assert digest_of(turned) == digest_of(value)


@pytest.mark.parametrize("value", [1.0, [1.5], {"a": {"b": [0.1]}}, math.nan])
def test_floats_are_refused(value):
    with pytest.raises(TypeError, match="float"):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1: "a"}, {"a": {None: 1}}, object(), b"bytes", {"a": {1, 2}}])
def test_what_json_does_not_have_is_refused(value):
    with pytest.raises(TypeError):
        canonical_json(value)


@given(st.floats(allow_nan=False))
def test_a_number_as_text_reads_back_to_itself(value):
    assert float(canonical_number(value)) == value


def test_floats_become_text_everywhere():
    given_value = {"a": 0.1, "b": [1, (2.5, "x")], "c": None}

    assert floats_to_text(given_value) == {"a": "0.1", "b": [1, ["2.5", "x"]], "c": None}


def test_digests_tell_one_and_its_text_apart_from_another_number():
    assert digest_of({"a": 1}) != digest_of({"a": 2})
    assert digest_of({"a": 1}) != digest_of({"a": "1"})
    assert sha256_hex("abc") == sha256_hex(b"abc")
    assert sha256_hex("").endswith(
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
