"""A policy's text, checked and parsed into the body that a revision keeps. Pure: no database.

The body's keys: ``policy`` (name), ``for`` {tiers, environment, kinds}, ``counts_as_evidence``,
``dataset`` (for gates that name none), ``segments`` (columns by which flips are counted), ``gates``
[{check, severity}], ``approvals`` [{role, count}], ``meanings`` {role: [text]}, ``valid_for_s``,
``plan`` (what delivery is given; empty: approval only).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

from accounts.roles import RULES, Capability
from delivery.plan import BUCKETS_MS, MAX_STEPS
from governance.gates import expression
from governance.gates.yaml_lines import Document, Path, YamlError, read

ORIGINS = ("measured", "computed", "reported")
KINDS = (
    "binary",
    "multiclass",
    "regression",
    "ranking",
    "forecasting",
    "recommendation",
    "anomaly",
    "text",
    "image",
    "generative",
    "prompt",
    "rule",
    "vendor",
)
SEVERITIES = ("block", "warn")
SIGNING_ROLES = tuple(sorted(role.value for role in RULES[Capability.REQUEST_SIGN].roles))
DEFAULT_MEANINGS: dict[str, list[str]] = {
    "validator": [
        "I validated this version independently",
        "I reviewed somebody else's validation",
    ],
    "risk_officer": ["I accept the residual risk", "The model risk is within appetite"],
    "business_owner": ["I want this version in use and answer for its outcome"],
    "privacy_officer": ["Its use of personal data is lawful and minimal"],
}
MAX_GATES = 50
MAX_SIGNERS = 10
_DURATION = re.compile(r"^(\d{1,4})\s*(d|h|m|min|s)$")
_NAME = re.compile(r"^\w[^/\x00-\x1f]*$")
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "min": 60, "s": 1}
_KEYS = (
    "policy",
    "for",
    "counts_as_evidence",
    "dataset",
    "segments",
    "gates",
    "approvals",
    "meanings",
    "valid_for",
    "rollout",
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, in which field and on which line (from 1)."""

    field: str
    line: int
    message: str

    def __str__(self) -> str:
        return (
            f"line {self.line}, {self.field}: {self.message}"
            if self.field
            else (f"line {self.line}: {self.message}")
        )


class PolicyError(ValueError):
    """The text is not a policy; every problem found, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(slots=True)
class _Checker:
    document: Document
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, path: Path, message: str) -> None:
        name = ".".join(str(part + 1 if isinstance(part, int) else part) for part in path)
        self.problems.append(Problem(name, self.document.line(path), message))

    def mapping(self, value: Any, path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
        """``value`` as a mapping that has none but these keys."""
        if not isinstance(value, dict):
            self.wrong(path, f"expected a mapping with {', '.join(keys)}")
            return {}
        for key in value:
            if key not in keys:
                self.wrong((*path, key), f"“{key}” is not known here; known are {', '.join(keys)}")
        return value

    def listing(self, value: Any, path: Path, what: str) -> list[Any]:
        if not isinstance(value, list) or not value:
            self.wrong(path, f"expected a list of {what}")
            return []
        return value

    def text(self, value: Any, path: Path, what: str, *, longest: int = 255) -> str:
        if not isinstance(value, str) or not value.strip() or "\x00" in value:
            self.wrong(path, f"expected {what}")
            return ""
        if len(value) > longest:
            self.wrong(path, f"at most {longest} characters")
        return value.strip()

    def whole(self, value: Any, path: Path, low: int, high: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.wrong(path, f"expected a whole number from {low} to {high}")
            return low
        return value

    def seconds(self, value: Any, path: Path, longest_days: int) -> int:
        match = _DURATION.match(value.strip()) if isinstance(value, str) else None
        if match is None:
            self.wrong(path, "expected a time such as 30d, 24h, 10min or 45s")
            return 0
        seconds = int(match[1]) * _SECONDS[match[2]]
        if not 0 <= seconds <= longest_days * 86_400:
            self.wrong(path, f"at most {longest_days}d")
        return seconds


def parse(text: str) -> dict[str, Any]:
    """The body of the policy that ``text`` (YAML or JSON) describes.

    Raises: PolicyError with all problems, each with its field and line.
    """
    try:
        document = read(text)
    except YamlError as error:
        raise PolicyError([Problem("", error.line, error.message)]) from None
    check = _Checker(document)
    data = check.mapping(document.data, (), _KEYS)
    body: dict[str, Any] = {
        "policy": _name(check, data.get("policy")),
        "for": _scope(check, data.get("for")),
        "counts_as_evidence": _choices(
            check,
            data.get("counts_as_evidence", ["measured", "computed"]),
            ("counts_as_evidence",),
            ORIGINS,
        ),
        "dataset": (
            check.text(data["dataset"], ("dataset",), "a dataset's name")
            if "dataset" in data
            else ""
        ),
        "segments": [
            check.text(item, ("segments", i), "a column's name")
            for i, item in enumerate(
                check.listing(data["segments"], ("segments",), "columns")
                if "segments" in data
                else []
            )
        ],
        "gates": _gates(check, data.get("gates")),
        "approvals": _approvals(check, data.get("approvals")),
        "meanings": {},
        "valid_for_s": check.seconds(data.get("valid_for", "30d"), ("valid_for",), 366),
        "plan": _plan(check, data["rollout"]) if "rollout" in data else {},
    }
    if body["valid_for_s"] == 0 and not check.problems:
        check.wrong(("valid_for",), "a validity is longer than nothing")
    body["dataset"] = body["dataset"] or _first_dataset(body["gates"])
    _insist_dataset(check, body)
    body["meanings"] = _meanings(check, data.get("meanings", {}), body["approvals"])
    if check.problems:
        raise PolicyError(check.problems)
    return body


def conditions(gate: dict[str, Any], body: dict[str, Any]) -> tuple[expression.Condition, ...]:
    """A stored gate's conditions, each with the dataset it is about filled in."""
    return tuple(
        replace(item, dataset=item.dataset or body["dataset"]) if item.needs_dataset else item
        for item in expression.parse(gate["check"])
    )


def _name(check: _Checker, value: Any) -> str:
    name = check.text(value, ("policy",), "the policy's name")
    if name and not _NAME.match(name):
        check.wrong(("policy",), "a name begins with a letter or digit and holds no “/”")
    return name


def _scope(check: _Checker, value: Any) -> dict[str, Any]:
    data = check.mapping(value, ("for",), ("tier", "environment", "kind"))
    tiers = data.get("tier")
    tiers = tiers if isinstance(tiers, list) else [tiers]
    found = sorted({check.whole(tier, ("for", "tier"), 1, 3) for tier in tiers})
    kinds = data.get("kind", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return {
        "tiers": found,
        "environment": check.text(
            data.get("environment"), ("for", "environment"), "an environment's name", longest=64
        ),
        "kinds": _choices(check, kinds, ("for", "kind"), KINDS) if kinds else [],
    }


def _choices(check: _Checker, value: Any, path: Path, allowed: tuple[str, ...]) -> list[str]:
    found = []
    for i, item in enumerate(check.listing(value, path, ", ".join(allowed))):
        if item not in allowed:
            check.wrong((*path, i), f"“{item}” is not known here; known are {', '.join(allowed)}")
        elif item not in found:
            found.append(item)
    return found


def _gates(check: _Checker, value: Any) -> list[dict[str, str]]:
    gates = []
    items = check.listing(value, ("gates",), "gates")
    if len(items) > MAX_GATES:
        check.wrong(("gates",), f"at most {MAX_GATES} gates")
        return []
    for i, item in enumerate(items):
        path: Path = ("gates", i)
        severity = "block"
        if isinstance(item, dict):
            data = check.mapping(item, path, ("check", "severity", "if_fails"))
            severity = data.get("severity", data.get("if_fails", "block"))
            if severity not in SEVERITIES:
                check.wrong(path, "severity is block or warn")
            item = data.get("check")
            path = (*path, "check") if "check" in data else path
        text = check.text(item, path, "a gate such as “auc.lower95 >= 0.78”", longest=300)
        if not text:
            continue
        try:
            expression.parse(text)
        except expression.ExpressionError as error:
            check.wrong(path, f"“{text}”, column {error.column}: {error.message}")
            continue
        gates.append({"check": text, "severity": severity})
    return gates


def _first_dataset(gates: list[dict[str, str]]) -> str:
    """The dataset of the first gate that names one: the policy's own, unless it names another."""
    for gate in gates:
        for item in expression.parse(gate["check"]):
            if item.dataset:
                return item.dataset
    return ""


def _insist_dataset(check: _Checker, body: dict[str, Any]) -> None:
    if body["dataset"]:
        return
    for i, gate in enumerate(body["gates"]):
        if any(item.needs_dataset for item in expression.parse(gate["check"])):
            check.wrong(
                ("gates", i),
                f"“{gate['check']}” is measured on a dataset: end it with “on NAME”, or give the "
                "policy a “dataset”",
            )


def _approvals(check: _Checker, value: Any) -> list[dict[str, Any]]:
    found: dict[str, int] = {}
    for i, item in enumerate(check.listing(value, ("approvals",), "approvals")):
        path: Path = ("approvals", i)
        data = check.mapping(item, path, ("role", "count", "independent_of"))
        role = data.get("role")
        if data.get("independent_of", "authors") != "authors":
            check.wrong(path, "every signer is independent of the authors; nothing else is known")
        if role not in SIGNING_ROLES:
            check.wrong(path, f"role is one of {', '.join(SIGNING_ROLES)}")
        elif role in found:
            check.wrong(path, f"“{role}” stands here twice: give it one count")
        else:
            found[role] = check.whole(data.get("count", 1), path, 1, MAX_SIGNERS)
    return [{"role": role, "count": count} for role, count in found.items()]


def _meanings(check: _Checker, value: Any, approvals: list[dict[str, Any]]) -> dict[str, list[str]]:
    roles = tuple(item["role"] for item in approvals)
    given = check.mapping(value, ("meanings",), roles) if value else {}
    meanings: dict[str, list[str]] = {}
    for role in roles:
        if role not in given:
            meanings[role] = DEFAULT_MEANINGS[role]
            continue
        path: Path = ("meanings", role)
        meanings[role] = [
            check.text(item, (*path, i), "what the signature means", longest=300)
            for i, item in enumerate(check.listing(given[role], path, "meanings"))
        ]
    return meanings


def _plan(check: _Checker, value: Any) -> dict[str, Any]:
    path: Path = ("rollout",)
    keys = ("steps", "min_answers", "min_time", "max_time", "limits")
    data = check.mapping(value, path, keys)
    defaults = {
        "min_answers": check.whole(
            data.get("min_answers", 200), (*path, "min_answers"), 0, 10_000_000
        ),
        "min_seconds": check.seconds(data.get("min_time", "0s"), (*path, "min_time"), 30),
        "max_seconds": check.seconds(data.get("max_time", "10min"), (*path, "max_time"), 30),
    }
    steps = []
    for i, item in enumerate(check.listing(data.get("steps"), (*path, "steps"), "steps")):
        step_path: Path = (*path, "steps", i)
        step = dict(defaults)
        if isinstance(item, dict):
            given = check.mapping(
                item, step_path, ("weight", "min_answers", "min_time", "max_time")
            )
            if "min_answers" in given:
                step["min_answers"] = check.whole(given["min_answers"], step_path, 0, 10_000_000)
            for name in ("min", "max"):
                if f"{name}_time" in given:
                    step[f"{name}_seconds"] = check.seconds(given[f"{name}_time"], step_path, 30)
            item = given.get("weight")
        steps.append({"weight": _percent(check, item, step_path), **step})
        if steps[-1]["max_seconds"] <= steps[-1]["min_seconds"]:
            check.wrong(step_path, "max_time is longer than min_time")
    if len(steps) > MAX_STEPS:
        check.wrong((*path, "steps"), f"at most {MAX_STEPS} steps")
    weights = [step["weight"] for step in steps]
    if steps and (weights != sorted(set(weights)) or weights[-1] != 100):
        check.wrong((*path, "steps"), "the steps go up and end at 100%")
    return {
        "steps": steps,
        "limits": _limits(check, data.get("limits", {})),
    }


def _percent(check: _Checker, value: Any, path: Path) -> int:
    text = str(value).strip().removesuffix("%").strip()
    if isinstance(value, bool) or not text.isdecimal() or not 1 <= int(text) <= 100:
        check.wrong(path, "expected a share of traffic from 1% to 100%")
        return 0
    return int(text)


def _limits(check: _Checker, value: Any) -> dict[str, float | int]:
    """Limits as ``delivery.plan`` reads them; what is not given keeps delivery's default."""
    path: Path = ("rollout", "limits")
    limits: dict[str, float | int] = {}
    for key, item in check.mapping(value, path, ("alpha", "slow_ms", "slow_share")).items():
        if key == "slow_ms":
            if item not in BUCKETS_MS or isinstance(item, bool):
                check.wrong((*path, key), f"one of {', '.join(map(str, BUCKETS_MS))}")
            else:
                limits[key] = int(item)
        elif key in {"alpha", "slow_share"}:
            high = 0.2 if key == "alpha" else 0.999
            number = isinstance(item, (int, float)) and not isinstance(item, bool)
            if not number or not math.isfinite(item) or not 0 < item <= high:
                check.wrong((*path, key), f"expected a number above 0 and up to {high:g}")
            else:
                limits[key] = float(item)
    return limits
