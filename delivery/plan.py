"""A rollout plan: how much traffic when, and what would end it. Plain data, checked once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from common.errors import Invalid


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step: ``weight`` percent until ``min_answers`` answers and ``min_seconds`` seconds."""

    weight: int
    min_answers: int = 200
    min_seconds: int = 0
    max_seconds: int = 3600


@dataclass(frozen=True, slots=True)
class Limits:
    """What counts as worse.

    Attributes:
        alpha: chance of rolling a good release back by mistake, over all looks (0 to 1).
        slow_ms: an answer slower than this is slow; must be one of Envoy's bucket edges.
        slow_share: the share of slow answers that is still fine (0 to 1).
    """

    alpha: float = 0.01
    slow_ms: int = 1000
    slow_share: float = 0.01


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order, ending at 100, and the limits."""

    steps: tuple[StepPlan, ...]
    limits: Limits = field(default_factory=Limits)

    def as_dict(self) -> dict[str, Any]:
        return {"steps": [asdict(step) for step in self.steps], "limits": asdict(self.limits)}


#: Upper edges of Envoy's default latency histogram, in milliseconds.
BUCKETS_MS = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000)
MAX_STEPS = 20
#: May stand beside the steps and then holds for each of them.
COMMON = ("min_answers", "min_seconds", "max_seconds")


def parse(raw: Any) -> Plan:
    """A plan from a policy's or a caller's JSON.

    ``steps`` may be numbers (``25``), text (``"25%"``) or objects with the fields of ``StepPlan``.

    Raises: Invalid with the field that is wrong.
    """
    if not isinstance(raw, dict):
        raise _wrong("plan", "A plan is an object with “steps”.")
    unknown = sorted(str(name) for name in set(raw) - {"steps", "limits", *COMMON})
    if unknown:
        raise _wrong("plan", f"There is no “{unknown[0][:60]}” in a plan.")
    steps_in = raw.get("steps")
    if not isinstance(steps_in, list) or not 1 <= len(steps_in) <= MAX_STEPS:
        raise _wrong("plan.steps", f"Give 1 to {MAX_STEPS} steps.")
    common = {name: raw[name] for name in COMMON if name in raw}
    steps = tuple(_step(index, item, common) for index, item in enumerate(steps_in))
    weights = [step.weight for step in steps]
    if weights != sorted(set(weights)) or weights[-1] != 100:
        raise _wrong("plan.steps", "Shares must rise from step to step and end at 100 %.")
    return Plan(steps=steps, limits=_limits(raw.get("limits", {})))


def _step(index: int, item: Any, common: dict[str, Any]) -> StepPlan:
    where = f"plan.steps[{index}]"
    if isinstance(item, str):
        item = item.strip().removesuffix("%").strip()
        item = int(item) if item.isdigit() else None
    if isinstance(item, int) and not isinstance(item, bool):
        item = {"weight": item}
    if not isinstance(item, dict) or not set(item) <= set(StepPlan.__slots__):
        raise _wrong(where, "A step is a share such as 25, or an object with “weight”.")
    values = {**common, **item}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**7:
            raise _wrong(f"{where}.{name}", "A whole number that is not negative, please.")
    step = StepPlan(**values) if "weight" in values else None
    if step is None or not 1 <= step.weight <= 100:
        raise _wrong(f"{where}.weight", "A share between 1 and 100 percent.")
    if step.max_seconds <= step.min_seconds:
        raise _wrong(f"{where}.max_seconds", "Must be longer than min_seconds.")
    return step


def _limits(raw: Any) -> Limits:
    if not isinstance(raw, dict) or not set(raw) <= set(Limits.__slots__):
        raise _wrong("plan.limits", "Limits are alpha, slow_ms and slow_share.")
    limits = Limits(**raw)
    if not isinstance(limits.alpha, float) or not 0 < limits.alpha <= 0.2:
        raise _wrong("plan.limits.alpha", "Between 0 and 0.2.")
    if isinstance(limits.slow_ms, bool) or limits.slow_ms not in BUCKETS_MS:
        edges = ", ".join(str(edge) for edge in BUCKETS_MS)
        raise _wrong("plan.limits.slow_ms", f"One of the gateway's edges: {edges}.")
    if not isinstance(limits.slow_share, float) or not 0 < limits.slow_share < 1:
        raise _wrong("plan.limits.slow_share", "A share between 0 and 1.")
    return limits


def _wrong(name: str, message: str) -> Invalid:
    return Invalid(f"{name}: {message}", code="plan_invalid", fields={name: [message]})
