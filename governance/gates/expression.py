"""The small language that gates are written in, from text to conditions. Pure: no database.

    auc.lower95 >= 0.78 on holdout-2026q2
    auc - live.auc >= -0.01
    selection_rate_ratio(age_band).lower95 >= 0.80
    decision_flips(live) <= 3%
    card.complete and findings.open_high == 0

A gate is one or more conditions joined by ``and``. Anything else is an error that names the
column where it was met and what would have been understood there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

MAX_LENGTH = 300

Comparison = Literal[">=", ">", "<=", "<", "=="]
Bound = Literal["value", "lower95", "upper95"]


class Family(StrEnum):
    """Where a condition's figure comes from."""

    EVALUATION = "evaluation"
    DELTA = "delta"
    FLIPS = "flips"
    FAIRNESS = "fairness"
    FINDINGS = "findings"
    CARD = "card"
    EXPLANATION = "explanation"


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of an evaluation: how it is called, and which direction is better."""

    title: str
    higher_is_better: bool
    task: Literal["binary", "regression"]


METRICS: dict[str, Metric] = {
    "auc": Metric("AUC", True, "binary"),
    "accuracy": Metric("Accuracy", True, "binary"),
    "precision": Metric("Precision", True, "binary"),
    "recall": Metric("Recall", True, "binary"),
    "f1": Metric("F1", True, "binary"),
    "log_loss": Metric("Log loss", False, "binary"),
    "brier": Metric("Brier score", False, "binary"),
    "calibration_error": Metric("Calibration error", False, "binary"),
    "rmse": Metric("RMSE", False, "regression"),
    "mae": Metric("MAE", False, "regression"),
    "r2": Metric("R²", True, "regression"),
}
FAIRNESS: dict[str, Metric] = {
    "selection_rate_ratio": Metric("Selection-rate ratio", True, "binary"),
    "equalized_odds_difference": Metric("Equalised-odds difference", False, "binary"),
}
FINDINGS: dict[str, str] = {
    "open": "Open findings",
    "open_high": "Open high findings",
    "open_medium": "Open medium findings",
}


class ExpressionError(ValueError):
    """The text is not a gate; ``column`` is where, counted from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.message = message
        self.column = column


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison, or one flag that must be true.

    Attributes:
        family: where the figure comes from.
        metric: its name in that family; empty for a flag.
        argument: the column of a fairness figure; empty otherwise.
        bound: the value itself, or an end of its 95 % interval.
        comparison: how it is compared; empty for a flag.
        limit: what it is compared with, in the metric's unit (a percentage is a share).
        is_percent: the limit was written as a percentage and is shown as one.
        dataset: the dataset named after ``on``; empty means the policy's own.
    """

    family: Family
    metric: str = ""
    argument: str = ""
    bound: Bound = "value"
    comparison: Comparison | Literal[""] = ""
    limit: float = 0.0
    is_percent: bool = False
    dataset: str = ""

    @property
    def needs_live(self) -> bool:
        """Whether it says something only beside a version that is live."""
        return self.family in {Family.DELTA, Family.FLIPS}

    @property
    def needs_dataset(self) -> bool:
        return self.family in {Family.EVALUATION, Family.DELTA, Family.FLIPS, Family.FAIRNESS}

    @property
    def title(self) -> str:
        """What it is about, for a reader who does not know the language."""
        if self.family is Family.EVALUATION:
            return METRICS[self.metric].title
        if self.family is Family.DELTA:
            return f"{METRICS[self.metric].title} against live"
        if self.family is Family.FLIPS:
            return "Decisions that flip against live"
        if self.family is Family.FAIRNESS:
            return f"{FAIRNESS[self.metric].title}, {self.argument}"
        if self.family is Family.FINDINGS:
            return FINDINGS[self.metric]
        return "Model card" if self.family is Family.CARD else "Explanation"

    @property
    def limit_text(self) -> str:
        """The limit as a page shows it, e.g. ``≥ 0.78`` or ``≤ 3 %``."""
        if not self.comparison:
            return ""
        sign = {">=": "≥", "<=": "≤", "==": "="}.get(self.comparison, self.comparison)
        if self.is_percent:
            return f"{sign} {self.limit * 100:g} %"
        return f"{sign} {self.limit:g}".replace("-", "−")

    def holds(self, observed: float) -> bool:
        """Whether ``observed`` is on the allowed side of the limit; the limit itself is."""
        if self.comparison == ">=":
            return observed >= self.limit
        if self.comparison == ">":
            return observed > self.limit
        if self.comparison == "<=":
            return observed <= self.limit
        if self.comparison == "<":
            return observed < self.limit
        return observed == self.limit


_TOKEN = re.compile(
    r"\s*(?:(?P<op>>=|<=|==|>|<)|(?P<punct>[().])"
    r"|(?P<number>[-−+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?P<percent>\s*%)?"
    r"|(?P<minus>[-−])|(?P<quoted>\"[^\"]*\"|'[^']*')|(?P<name>[A-Za-z_][A-Za-z0-9_]*))"
)
_DATASET = re.compile(r"\s*(?:\"([^\"]+)\"|'([^']+)'|([^\s\"']+))")


class _Reader:
    """The text and how far it has been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self) -> re.Match[str] | None:
        return _TOKEN.match(self.text, self.at)

    def take(self, group: str, *values: str) -> str | None:
        """The next token's text when it is of this group (and one of these values)."""
        match = self.peek()
        if match is None or match[group] is None or (values and match[group] not in values):
            return None
        self.at = match.end()
        return match[group]

    def column(self) -> int:
        rest = self.text[self.at :]
        return self.at + len(rest) - len(rest.lstrip()) + 1

    def fail(self, expected: str) -> ExpressionError:
        rest = self.text[self.at :].strip()
        found = f"“{rest.split()[0]}”" if rest else "the end"
        return ExpressionError(f"expected {expected}, found {found}", self.column())

    def done(self) -> bool:
        return not self.text[self.at :].strip()


def parse(text: str) -> tuple[Condition, ...]:
    """The conditions of one gate, all of which must hold.

    Raises: ExpressionError with a column when the text is not a gate.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"a gate has at most {MAX_LENGTH} characters", MAX_LENGTH)
    reader = _Reader(text)
    conditions = [_condition(reader)]
    while reader.take("name", "and"):
        conditions.append(_condition(reader))
    if not reader.done():
        raise reader.fail("“and” or the end")
    return tuple(conditions)


def _condition(reader: _Reader) -> Condition:
    start = reader.column()
    name = reader.take("name")
    if name is None:
        raise reader.fail("a metric, e.g. auc, card.complete or decision_flips(live)")
    if name == "card":
        _member(reader, "complete")
        return Condition(Family.CARD)
    if name == "explanation":
        _member(reader, "present")
        return Condition(Family.EXPLANATION)
    if name == "findings":
        which = _member(reader, *FINDINGS)
        comparison, limit, percent = _limit(reader, allow_equal=True)
        if percent or limit != int(limit) or limit < 0:
            raise ExpressionError("a number of findings is a whole number", reader.column())
        return Condition(Family.FINDINGS, which, comparison=comparison, limit=limit)
    if name == "decision_flips":
        if _argument(reader) != "live":
            raise ExpressionError("decision_flips is against live: decision_flips(live)", start)
        bound = _bound(reader)
        return _measured(reader, Family.FLIPS, name, "", bound)
    if name in FAIRNESS:
        argument = _argument(reader)
        return _measured(reader, Family.FAIRNESS, name, argument, _bound(reader))
    if name in METRICS:
        bound = _bound(reader)
        if reader.take("minus"):
            _live(reader, name)
            if bound != "value":
                raise ExpressionError(
                    f"write {name} - live.{name}: a difference has its own interval", start
                )
            return _measured(reader, Family.DELTA, name, "", bound)
        return _measured(reader, Family.EVALUATION, name, "", bound)
    known = ", ".join(
        [
            *METRICS,
            *FAIRNESS,
            "decision_flips(live)",
            "findings.open_high",
            "card.complete",
            "explanation.present",
        ]
    )
    raise ExpressionError(f"“{name}” is not known here; known are {known}", start)


def _member(reader: _Reader, *names: str) -> str:
    if not reader.take("punct", "."):
        raise reader.fail(" or ".join(f".{name}" for name in names))
    found = reader.take("name", *names)
    if found is None:
        raise reader.fail(" or ".join(names))
    return found


def _argument(reader: _Reader) -> str:
    if not reader.take("punct", "("):
        raise reader.fail("“(” and a column")
    quoted = reader.take("quoted")
    argument = quoted[1:-1] if quoted else reader.take("name")
    if not argument:
        raise reader.fail("a column's name")
    if not reader.take("punct", ")"):
        raise reader.fail("“)”")
    return argument


def _bound(reader: _Reader) -> Bound:
    if not reader.take("punct", "."):
        return "value"
    found = reader.take("name", "lower95", "upper95", "value")
    if found is None:
        raise reader.fail("lower95 or upper95")
    return found  # type: ignore[return-value]


def _live(reader: _Reader, name: str) -> None:
    if not reader.take("name", "live"):
        raise reader.fail(f"live.{name}")
    _member(reader, name)


def _measured(
    reader: _Reader, family: Family, metric: str, argument: str, bound: Bound
) -> Condition:
    comparison, limit, percent = _limit(reader, allow_equal=False)
    dataset = ""
    if reader.take("name", "on"):
        match = _DATASET.match(reader.text, reader.at)
        if match is None:
            raise reader.fail("a dataset's name")
        dataset = next(group for group in match.groups() if group)
        reader.at = match.end()
    return Condition(family, metric, argument, bound, comparison, limit, percent, dataset)


def _limit(reader: _Reader, *, allow_equal: bool) -> tuple[Comparison, float, bool]:
    expected = ">=, >, <= or <" + (" or ==" if allow_equal else "")
    match = reader.peek()
    operator = match["op"] if match else None
    if operator is None or (operator == "==" and not allow_equal):
        raise reader.fail(expected)
    reader.take("op")
    match = reader.peek()
    if match is None or match["number"] is None:
        raise reader.fail("a number")
    number = float(match["number"].replace("−", "-"))
    percent = match["percent"] is not None
    reader.at = match.end()
    return operator, number / 100 if percent else number, percent  # type: ignore[return-value]
