import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Invalid
from serving import mapping
from serving.errors import EndpointRejected

PLAIN = mapping.DEFAULT


@pytest.mark.parametrize(
    ("answer", "given_mapping"),
    [
        ({"predictions": [0.25, 1]}, {}),
        ({"predictions": [[0.25], [1.0]]}, {}),
        ({"predictions": [[0.75, 0.25], [0.0, 1.0]]}, {}),
        ({"predictions": [[0.25, 0.75], [1.0, 0.0]]}, {"index": 0}),
        ({"predictions": [{"no": 0.75, "yes": 0.25}, {"no": 0, "yes": 1}]}, {"field": "yes"}),
        ({"predictions": [{"0": 0.75, "1": 0.25}, {"0": 0, "1": 1}]}, {}),
        ({"predictions": [{"yes": 0.25}, {"yes": 1}]}, {"positive_class": "yes"}),
        ({"predictions": [{"p": [0.75, 0.25]}, {"p": [0, 1]}]}, {"field": "p"}),
        ([0.25, 1], {"path": ""}),
        ({"a": {"b": [0.25, 1]}}, {"path": "a.b"}),
    ],
)
def test_every_shape_gives_its_scores(answer, given_mapping):
    found = mapping.scores(answer, mapping.clean(given_mapping), 2)

    assert found.dtype == np.float64
    assert found.tolist() == [0.25, 1.0]


@pytest.mark.parametrize(
    ("answer", "given_mapping", "code"),
    [
        ({"predictions": [0.5]}, {}, "wrong_count"),
        ({"predictions": [0.5] * 3}, {}, "wrong_count"),
        ({"predictions": []}, {}, "wrong_count"),
        ({"predictions": "ab"}, {}, "wrong_shape"),
        ({"predictions": {"0": 1, "1": 2}}, {}, "wrong_shape"),
        ({"outputs": [1, 2]}, {}, "wrong_shape"),
        ([1, 2], {}, "wrong_shape"),
        (None, {}, "wrong_shape"),
        ({"predictions": [0.5, None]}, {}, "not_a_number"),
        ({"predictions": [0.5, "0.5"]}, {}, "not_a_number"),
        ({"predictions": [0.5, True]}, {}, "not_a_number"),
        ({"predictions": [0.5, math.nan]}, {}, "not_a_number"),
        ({"predictions": [0.5, math.inf]}, {}, "not_a_number"),
        ({"predictions": [0.5, 10**400]}, {}, "not_a_number"),
        ({"predictions": [0.5, [[0.5]]]}, {}, "not_a_number"),
        ({"predictions": [[0.5, 0.5], [0.5, 0.5]]}, {"index": 2}, "wrong_shape"),
        ({"predictions": [[0.5, 0.5], []]}, {}, "wrong_shape"),
        ({"predictions": [[0.1, 0.9], [0.1, 0.9]]}, {"positive_class": None}, "wrong_shape"),
        ({"predictions": [{"yes": 1}, {"no": 1}]}, {"field": "yes"}, "wrong_shape"),
    ],
)
def test_what_is_no_score_is_refused(answer, given_mapping, code):
    with pytest.raises(EndpointRejected) as refusal:
        mapping.scores(answer, mapping.clean(given_mapping), 2)

    assert refusal.value.code == code


def test_a_refusal_quotes_no_answer():
    with pytest.raises(EndpointRejected) as refusal:
        mapping.scores({"predictions": ["Ada Lovelace, 36"]}, PLAIN, 1)

    assert "Ada" not in refusal.value.message


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"<html>"])
def test_what_is_no_json_is_refused(body):
    with pytest.raises(EndpointRejected) as refusal:
        mapping.parse(body)

    assert refusal.value.code == "bad_json"


@pytest.mark.parametrize(
    "bad",
    [
        {"pth": "x"},
        {"path": 3},
        {"path": "x" * 201},
        {"field": ""},
        {"field": 1},
        {"index": -1},
        {"index": True},
        {"index": "0"},
        {"positive_class": 0.5},
        {"positive_class": True},
        {"positive_class": []},
        {"x" * 10_000: 1},
    ],
    ids=lambda bad: repr(bad)[:30],
)
def test_a_mapping_that_is_none_is_refused(bad):
    with pytest.raises(Invalid) as refusal:
        mapping.clean(bad)

    assert refusal.value.fields.keys() == {"mapping"}
    assert len(refusal.value.message) < 300


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_scores_come_back_bit_for_bit_in_their_order(values):
    answer = mapping.parse(json.dumps({"predictions": values}).encode())

    assert mapping.scores(answer, PLAIN, len(values)).tolist() == values
