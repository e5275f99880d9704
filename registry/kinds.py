"""What applies to which kind of model and which way of reaching its callers (pure: one table).

Three answers, never a silence: *here* (this house can make or check it), *outside* (it applies,
but the figures come from elsewhere, so a gate on it could not be computed here), and *not
applicable* with the reason. A gate about evidence that is not applicable says so; one about
evidence from outside does not become green by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from registry.models import Consumption, Kind


class Support(StrEnum):
    """Whether something applies, and who can make it."""

    HERE = "here"
    OUTSIDE = "outside"
    NONE = "not_applicable"


class Want(StrEnum):
    """How much something is asked for."""

    NEEDED = "needed"
    OPTIONAL = "optional"
    NONE = "not_applicable"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether something applies, and why it does not (or how it comes in)."""

    support: Support
    reason: str = ""

    @property
    def applies(self) -> bool:
        return self.support is not Support.NONE


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a version's page asks for, or says is not applicable.

    Attributes:
        key: stable; what the API and the gates call it.
        group: evidence, document or use.
        want: needed, optional or not applicable.
        support: by whom it can be made.
        reason: why it is not applicable, or what it is for.
    """

    key: str
    group: str
    title: str
    want: Want
    support: Support
    reason: str


EVIDENCE = ("evaluation", "differential", "fairness", "explanation")
_TITLES = {
    "evaluation": "Evaluation on data with known outcomes",
    "differential": "Comparison with what is live",
    "fairness": "Fairness over groups",
    "explanation": "Explanation of its scores",
    "card": "Model card",
    "signature": "Columns in and out",
    "artifacts": "Files by digest",
    "prompt": "Template and variables",
    "endpoint": "Endpoint",
    "route": "Route",
    "monitor": "Monitor",
    "receipts": "Receipts of its runs",
    "devices": "Reports of its devices",
    "fallback": "Frozen fallback",
}

_SCORED = frozenset({Kind.BINARY, Kind.REGRESSION, Kind.FORECASTING, Kind.ANOMALY, Kind.RULE})
#: Several answers a row, or an order of them: it can be measured, but not by this house yet.
_RICHER = frozenset({Kind.MULTICLASS, Kind.RANKING, Kind.RECOMMENDATION, Kind.TEXT, Kind.IMAGE})
_WORDED = frozenset({Kind.GENERATIVE, Kind.PROMPT})

_HERE = Answer(Support.HERE)
_OUTSIDE = Answer(
    Support.OUTSIDE, "Its answers are no single score a row: report the figures from outside."
)
_NO_SCORE = {
    "evaluation": "It answers in words: there is no score to set against an outcome.",
    "differential": "Two texts are no two scores: what changed is read, not subtracted.",
    "fairness": "It selects nobody by a score, so there is no rate of selection to compare.",
    "explanation": "There is no score whose parts could be shared out over columns.",
}


def evidence(kind: str, name: str) -> Answer:
    """Whether evidence of that name means something for a model of that kind."""
    if kind in _WORDED:
        return Answer(Support.NONE, _NO_SCORE[name])
    if kind in _RICHER:
        return _OUTSIDE
    return _HERE


def is_measurable(kind: str) -> bool:
    """Whether this house can make a model's evidence: one score per row."""
    return kind in _SCORED or kind == Kind.VENDOR


def not_applicable(kind: str) -> dict[str, str]:
    """The evidence that means nothing for this kind, each with the reason."""
    answers = {name: evidence(kind, name) for name in EVIDENCE}
    return {name: answer.reason for name, answer in answers.items() if not answer.applies}


@dataclass(frozen=True, slots=True)
class Way:
    """How one consumption reaches its callers: what is wanted of it, by key, and why."""

    sentence: str
    wants: dict[str, tuple[Want, str]]

    @property
    def is_read(self) -> bool:
        """Whether its consumers ask what is current, instead of being sent to an endpoint."""
        return self.wants["route"][1] != _BY_GATEWAY


_N, _O, _X = Want.NEEDED, Want.OPTIONAL, Want.NONE
_BY_GATEWAY = "A gateway splits its requests while a new version comes in."
_READ = "Its consumers ask it which version is current."
_MEASURES = "Only for evidence that is measured; a file of its predictions is enough."
_FALLBACK = "What its consumers take when the live version is called back."

WAYS: dict[str, Way] = {
    Consumption.ONLINE: Way(
        "It answers requests as they come.",
        {
            "endpoint": (_N, "Requests are sent to it, and evidence is measured at it."),
            "route": (_N, _BY_GATEWAY),
            "monitor": (_N, "Watches what it answers in production."),
            "receipts": (_X, "It has no runs: the gateway knows which version answered."),
            "devices": (_X, "It runs on our side, on no device."),
            "fallback": (_O, "The gateway goes back to the version before by itself."),
        },
    ),
    Consumption.BATCH: Way(
        "Jobs run it over many rows.",
        {
            "endpoint": (_O, _MEASURES),
            "route": (_N, _READ),
            "monitor": (_N, "Watches what its runs wrote; they send their predictions."),
            "receipts": (_N, "Each run says which release it used; that is checked."),
            "devices": (_X, "Its runs send receipts."),
            "fallback": (_O, _FALLBACK),
        },
    ),
    Consumption.TABLE: Way(
        "Others read what it wrote into a shared table.",
        {
            "endpoint": (_O, _MEASURES),
            "route": (_N, _READ),
            "monitor": (_N, "Watches what stands in the table; its writer sends it."),
            "receipts": (_N, "Each filling of the table says which release it used."),
            "devices": (_X, "Its writer sends receipts."),
            "fallback": (_O, _FALLBACK),
        },
    ),
    Consumption.STREAM: Way(
        "It scores events as they pass.",
        {
            "endpoint": (_O, _MEASURES),
            "route": (_N, _READ),
            "monitor": (_N, "Watches what it scored; the stream sends its predictions."),
            "receipts": (_O, "A stream has no end; one receipt for a day, where wanted."),
            "devices": (_X, "It runs in the stream, on no device."),
            "fallback": (_O, _FALLBACK),
        },
    ),
    Consumption.DEVICE: Way(
        "Devices carry it with them.",
        {
            "endpoint": (_O, _MEASURES),
            "route": (_N, _READ),
            "monitor": (_O, "What devices answer stays with them, unless they send it."),
            "receipts": (_X, "Devices report what they run instead."),
            "devices": (_N, "Each says which release it runs, in which ring."),
            "fallback": (_N, "A device that may not run the live version needs another."),
        },
    ),
    Consumption.ONE_OFF: Way(
        "It is run once, or now and then, by hand.",
        {
            "endpoint": (_O, _MEASURES),
            "route": (_O, _READ),
            "monitor": (_X, "There is no stream of answers to watch."),
            "receipts": (_N, "The run says which release it used."),
            "devices": (_X, "It runs on no device."),
            "fallback": (_X, "Whoever runs it by hand can stop."),
        },
    ),
    Consumption.VENDOR: Way(
        "It runs at a vendor's, who sends us its answers.",
        {
            "endpoint": (_O, _MEASURES),
            "route": (_O, "Says which of the vendor's versions is approved."),
            "monitor": (_N, "All that can be watched of it is what it answers."),
            "receipts": (_X, "The vendor's runs are not ours to account for."),
            "devices": (_X, "It runs at the vendor's."),
            "fallback": (_O, _FALLBACK),
        },
    ),
}


def way(consumption: str) -> Way:
    """How that consumption works."""
    return WAYS[Consumption(consumption)]


def items(kind: str, consumption: str) -> list[Item]:
    """Everything that a version of this kind and consumption is asked for, or is not, in order."""
    found = [_evidence_item(kind, name) for name in EVIDENCE]
    found += _documents(kind)
    for key, (want, reason) in way(consumption).wants.items():
        if kind in _WORDED and key in {"endpoint", "monitor"}:
            why = "It answers in words: nothing here scores rows at it."
            found.append(_item(key, "use", Want.NONE, why))
        else:
            found.append(_item(key, "use", want, reason))
    return found


def _evidence_item(kind: str, name: str) -> Item:
    answer = evidence(kind, name)
    want = Want.NEEDED if name == "evaluation" else Want.OPTIONAL
    if not answer.applies:
        want = Want.NONE
    reason = answer.reason or "Which of it counts, and how good it must be, says the policy."
    return Item(name, "evidence", _TITLES[name], want, answer.support, reason)


def _documents(kind: str) -> list[Item]:
    card = _item("card", "document", Want.NEEDED, "What it is for, and what not.")
    if kind == Kind.PROMPT:
        return [
            card,
            _item("prompt", "document", Want.NEEDED, "The release is the text itself."),
            _item("signature", "document", Want.NONE, "Its variables are in the template."),
            _item("artifacts", "document", Want.NONE, "A prompt has no files."),
        ]
    signature = _item("signature", "document", Want.NEEDED, "What goes in and comes out.")
    if kind == Kind.GENERATIVE:
        signature = _item("signature", "document", Want.OPTIONAL, "Where it has columns at all.")
    if kind == Kind.VENDOR:
        why = "The vendor keeps the files; what can be named is the vendor's version."
        return [card, signature, _item("artifacts", "document", Want.NONE, why)]
    files = _item("artifacts", "document", Want.NEEDED, "What runs is known by its digest.")
    return [card, signature, files]


def _item(key: str, group: str, want: Want, reason: str) -> Item:
    support = Support.NONE if want is Want.NONE else Support.HERE
    return Item(key, group, _TITLES[key], want, support, reason)
