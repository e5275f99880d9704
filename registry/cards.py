"""A model card: its sections, which of them a tier and a kind ask for, what changed. Pure.

A card is ``{key: Markdown}``. What a version lacks is said in words that a gate can repeat. Three
facts that the inventory knows anyway stand in where a section is empty: the model's and the
version's description for the summary, the purpose for the intended use, the owner for contacts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

MAX_SECTION = 10_000
MAX_CARD = 60_000

_BASED = frozenset({"text", "image", "generative", "prompt"})
_UNTRAINED = frozenset({"rule", "prompt"})


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a card.

    Attributes:
        key: as the API and the stored revision name it.
        asks: what to write, for the form.
        tiers: the materiality tiers that require it.
        only: the kinds it is for; empty means all.
        but: the kinds it says nothing about.
    """

    key: str
    title: str
    asks: str
    tiers: frozenset[int] = frozenset()
    only: frozenset[str] = frozenset()
    but: frozenset[str] = frozenset()

    def is_for(self, kind: str) -> bool:
        return kind not in self.but and (not self.only or kind in self.only)

    def is_required(self, tier: int, kind: str) -> bool:
        return tier in self.tiers and self.is_for(kind)


_ALL, _HIGH_AND_MIDDLE, _HIGH = frozenset({1, 2, 3}), frozenset({1, 2}), frozenset({1})

SECTIONS: tuple[Section, ...] = (
    Section("summary", "Summary", "What it is and what is new in this version.", _ALL),
    Section("intended_use", "Intended use", "Who uses its answers, and for which decision.", _ALL),
    Section("limits", "Limits", "Where it is known to be weak or unreliable.", _HIGH_AND_MIDDLE),
    Section(
        "out_of_scope", "Out-of-scope use", "What it must not be used for, and by whom not.", _HIGH
    ),
    Section(
        "training_data",
        "Training data",
        "Where it comes from, which period and people it covers, what was left out.",
        _HIGH,
        but=_UNTRAINED,
    ),
    Section(
        "evaluation",
        "Evaluation",
        "How it was judged, on what data, and what the figures do not show.",
        _HIGH_AND_MIDDLE,
    ),
    Section(
        "ethics", "Ethical considerations", "Whom an error harms, and how it is noticed.", _HIGH
    ),
    Section(
        "mitigation",
        "Mitigation applied",
        "What was done about bias, drift, misuse and leaks.",
        _HIGH,
    ),
    Section(
        "oversight", "Human oversight", "Who looks at its answers, and how they are overruled."
    ),
    Section(
        "maintenance", "Monitoring and maintenance", "What is watched, and when it is trained anew."
    ),
    Section("licence_code", "Licence of the code", "Such as Apache-2.0, or a contract.", _HIGH),
    Section(
        "licence_data",
        "Licence of the data",
        "The licence or the legal ground of the data it was made from.",
        _HIGH,
        but=frozenset({"rule"}),
    ),
    Section(
        "licence_base_model",
        "Licence of the base model",
        "Which model it was made from, and under which licence.",
        _HIGH_AND_MIDDLE,
        only=_BASED,
    ),
    Section(
        "encryption",
        "Encryption of the artifact",
        "Whether the stored artifact is encrypted, how, and who holds the key.",
        _HIGH,
    ),
    Section("contacts", "Contacts", "Whom to ask, and whom to call at night.", _HIGH_AND_MIDDLE),
    Section("references", "References", "Papers, tickets and documents to read on."),
)
BY_KEY: dict[str, Section] = {section.key: section for section in SECTIONS}


@dataclass(frozen=True, slots=True)
class Fallbacks:
    """What the inventory says besides the card; empty text where it says nothing."""

    model_description: str = ""
    version_description: str = ""
    purpose: str = ""
    owner: str = ""


def sections_for(kind: str) -> list[Section]:
    """The sections that a card of this kind of model has."""
    return [section for section in SECTIONS if section.is_for(kind)]


def missing(
    card: Mapping[str, str], *, tier: int, kind: str, fallbacks: Fallbacks = Fallbacks()
) -> list[str]:
    """What the card still lacks for this tier and kind, in words; in the card's order."""
    words: list[str] = []
    for section in SECTIONS:
        if section.is_required(tier, kind) and not card.get(section.key, "").strip():
            words += _lacking(section, fallbacks)
    return words


def _lacking(section: Section, fallbacks: Fallbacks) -> list[str]:
    """Nothing where the inventory's own words stand in, else what is to be written."""
    stand_ins = {
        "summary": {
            "the model's description": fallbacks.model_description,
            "the version's description": fallbacks.version_description,
        },
        "intended_use": {"the model's purpose": fallbacks.purpose},
        "contacts": {"the contacts": fallbacks.owner},
    }.get(section.key)
    if stand_ins is None:
        return [f"the section “{section.title}”"]
    return [words for words, text in stand_ins.items() if not text.strip()]


@dataclass(frozen=True, slots=True)
class Change:
    """One section that differs: its lines, each marked " ", "-" or "+"."""

    title: str
    lines: tuple[tuple[str, str], ...]


def diff(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    """The sections that differ between two revisions, in the card's order."""
    keys = [*BY_KEY, *sorted((set(old) | set(new)) - set(BY_KEY))]
    return [
        Change(
            BY_KEY[key].title if key in BY_KEY else key,
            tuple(_lines(old.get(key, "").splitlines(), new.get(key, "").splitlines())),
        )
        for key in keys
        if old.get(key, "") != new.get(key, "")
    ]


def _lines(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            found += [(" ", line) for line in old[a:b]]
        else:
            found += [("-", line) for line in old[a:b]]
            found += [("+", line) for line in new[c:d]]
    return found
