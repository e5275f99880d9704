import copy
import json
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.errors import Invalid
from registry import release
from registry.release import ReleaseInput

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
SHA = st.text("0123456789abcdef", min_size=64, max_size=64)
PARTS = st.fixed_dictionaries(
    {
        "artifacts": st.lists(
            st.fixed_dictionaries({"name": TEXT, "sha256": SHA, "size": st.integers(0, 2**53)}),
            max_size=4,
            unique_by=lambda it: it["name"],
        ),
        "source": TEXT,
        "run_id": TEXT,
        "git_commit": st.text("0123456789abcdef", max_size=40),
        "git_authors": st.lists(st.emails().map(str.lower), max_size=3, unique=True),
        "decision_threshold": st.none() | NUMBER,
        "signature": st.fixed_dictionaries(
            {"inputs": st.lists(st.fixed_dictionaries({"name": TEXT, "type": TEXT}), max_size=3)}
        ),
        "consumption": st.sampled_from(["online", "batch"]),
        "image": TEXT,
        "features": TEXT,
        "training": st.dictionaries(TEXT, TEXT | st.integers(), max_size=3),
        "datasets": st.lists(
            st.fixed_dictionaries({"name": TEXT, "use": st.just("training"), "digest": SHA}),
            max_size=3,
            unique_by=lambda it: it["name"],
        ),
        "components": st.lists(
            st.fixed_dictionaries({"model": TEXT, "version": st.integers(1, 9), "digest": SHA}),
            max_size=3,
            unique_by=lambda it: (it["model"], it["version"]),
        ),
        "extra": st.dictionaries(TEXT, TEXT | NUMBER | st.booleans() | st.none(), max_size=3),
    }
)


def digest(parts):
    return release.digest(release.canonical(ReleaseInput(**parts)))


def turned(value):
    """The same mappings with their keys the other way round; lists as they are."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(list(value))}
    if isinstance(value, list):
        return [turned(item) for item in value]
    return value


def test_a_zero_has_no_sign():
    thresholds = (0, 0.0, -0.0)
    assert len({digest({"decision_threshold": it}) for it in thresholds}) == 1


@settings(max_examples=40, deadline=None)
@given(PARTS)
def test_how_it_is_written_does_not_matter(parts):
    other = turned(copy.deepcopy(parts))
    for key in ("artifacts", "git_authors", "datasets", "components"):
        other[key].reverse()
    for artifact in other["artifacts"]:
        artifact["sha256"] = "sha256:" + artifact["sha256"].upper()
    threshold = other["decision_threshold"]
    if threshold is not None and threshold.is_integer() and abs(threshold) < 2**53:
        other["decision_threshold"] = int(threshold)

    assert digest(other) == digest(parts)


@settings(max_examples=40, deadline=None)
@given(PARTS)
def test_stored_and_read_back_it_is_the_same(parts):
    content = release.canonical(ReleaseInput(**parts))

    assert release.digest(json.loads(json.dumps(content))) == release.digest(content)


@settings(max_examples=40, deadline=None)
@given(PARTS, PARTS)
def test_other_content_is_another_digest(one, other):
    contents = [release.canonical(ReleaseInput(**parts)) for parts in (one, other)]
    assume(contents[0] != contents[1])

    assert release.digest(contents[0]) != release.digest(contents[1])


CHANGES = {
    "artifacts": [{"name": "model.bin", "sha256": "b" * 64, "size": 1}],
    "source": "elsewhere",
    "run_id": "r2",
    "git_commit": "beef",
    "git_authors": ["x@example.org"],
    "decision_threshold": 0.5000000000000001,
    "signature": {"inputs": [{"name": "b"}, {"name": "a"}]},
    "consumption": "batch",
    "image": "img@2",
    "features": "f2",
    "training": {"rows": 2},
    "datasets": [{"name": "d", "use": "validation", "digest": "c" * 64}],
    "components": [{"model": "m", "version": 2, "digest": "d" * 64}],
    "derived_from": {"model": "m", "version": 1, "digest": "d" * 64, "derivation": "pruned"},
    "extra": {"calibration": "none"},
}
BASE = {
    "artifacts": [{"name": "model.bin", "sha256": "a" * 64, "size": 1}],
    "source": "here",
    "run_id": "r1",
    "git_commit": "cafe",
    "git_authors": ["a@example.org"],
    "decision_threshold": 0.5,
    "signature": {"inputs": [{"name": "a"}, {"name": "b"}]},
    "consumption": "online",
    "image": "img@1",
    "features": "f1",
    "training": {"rows": 1},
    "datasets": [{"name": "d", "use": "training", "digest": "c" * 64}],
    "components": [{"model": "m", "version": 1, "digest": "d" * 64}],
    "derived_from": None,
    "extra": {"calibration": "platt"},
}


@pytest.mark.parametrize("part", sorted(CHANGES))
def test_every_part_counts(part):
    assert digest(BASE | {part: CHANGES[part]}) != digest(BASE)


def test_every_part_is_tried_above():
    assert set(CHANGES) == set(ReleaseInput.__dataclass_fields__) == set(BASE)


def test_a_release_without_a_parent_keeps_the_digest_it_always_had():
    # Computed before releases knew of parents: what was signed then still names this content.
    known = "sha256:11e29ef587d5ca97d06265117c28d8188bae95355d47b119054ae21b15a93ee3"

    assert digest({key: it for key, it in BASE.items() if key != "derived_from"}) == known
    assert digest(BASE) == known


def test_no_threshold_is_not_a_threshold_of_zero():
    assert digest(BASE | {"decision_threshold": None}) != digest(BASE | {"decision_threshold": 0.0})


def test_the_same_name_twice_is_refused():
    twice = [{"name": "a", "sha256": "a" * 64}, {"name": "a", "sha256": "b" * 64}]

    with pytest.raises(Invalid, match="twice"):
        release.canonical(ReleaseInput(artifacts=twice))


@pytest.mark.parametrize(
    "sha", ["", "a" * 63, "g" * 64, "md5:" + "a" * 32, None, "../../etc/passwd"]
)
def test_what_is_no_digest_is_refused(sha):
    with pytest.raises(Invalid):
        release.canonical(ReleaseInput(artifacts=[{"name": "a", "sha256": sha}]))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(Invalid):
        release.canonical(ReleaseInput(extra={"a": value}))


def test_the_digest_of_an_empty_release_is_fixed():
    """A change here voids every signature that was ever given: raise release_version instead."""
    assert digest({}) == ("sha256:27d87dc83355374e4beb81780ed8182deb437bd2f2bbcf154d33e225f48083fc")
