"""Alert rules: made, switched, muted, and tried on the stored history first."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import AlreadyExists, Conflict, Invalid
from monitoring import selectors
from monitoring.models import AlertRule, Monitor
from monitoring.rules import Verdict, episodes, judge

if TYPE_CHECKING:
    from accounts.callers import Caller

MAX_MUTE = timedelta(days=90)
MAX_RULES = 50
DEFAULT_PSI = 0.1


def create(
    *,
    caller: Caller,
    monitor: Monitor,
    name: str,
    kind: str,
    metric: str = AlertRule.Metric.PSI,
    threshold: float = DEFAULT_PSI,
    k: int = 2,
    n: int = 3,
    min_rows: int = 200,
    severity: str = AlertRule.Severity.HIGH,
    is_active: bool = True,
) -> AlertRule:
    """A new rule; it looks at windows that are evaluated from now on.

    The default is the one rule without false alarms in any regime tried (MONITORING 6.5): effect
    and significance after Benjamini–Hochberg, in two of three windows.

    Raises: Invalid, AlreadyExists, NotAllowed.
    """
    caller.insist(Capability.MONITOR_EDIT)
    insist_sound(kind=kind, metric=metric, threshold=threshold, k=k, n=n, min_rows=min_rows)
    if kind == AlertRule.Kind.PERFORMANCE and not monitor.label_column:
        raise _invalid("kind", f"{monitor.name} has no label column, so no performance.")
    if monitor.rules.count() >= MAX_RULES:
        raise Conflict(f"A monitor has at most {MAX_RULES} rules.")
    rule = AlertRule(
        monitor=monitor,
        name=name.strip(),
        kind=kind,
        metric=metric,
        threshold=threshold,
        k=k,
        n=n,
        min_rows=min_rows,
        severity=severity,
        is_active=is_active,
        created_by_pid=caller.actor.pid,
    )
    if not rule.name or len(rule.name) > 200 or not rule.name.isprintable():
        raise _invalid("name", "A name has 1 to 200 readable characters.")
    with transaction.atomic():
        try:
            with transaction.atomic():
                rule.save(force_insert=True)
        except IntegrityError as error:
            if "alert_rule_name_once" not in str(error):
                raise
            reason = f"{monitor.name} has a rule named “{rule.name}” already."
            raise AlreadyExists(reason, fields={"name": [reason]}) from None
        rule.refresh_from_db(fields=["created_at"])
        _record(Action.ALERT_RULE_CREATED, rule, caller, after=_content(rule))
    return rule


def insist_sound(
    *, kind: str, metric: str, threshold: float, k: int, n: int, min_rows: int
) -> None:
    """Raises: Invalid, naming the input at fault."""
    drift = kind == AlertRule.Kind.DRIFT
    if drift != (metric == AlertRule.Metric.PSI):
        raise _invalid("metric", "A drift rule looks at PSI, a performance rule at a metric.")
    most = 1.0 if metric in ("auc", "accuracy", "brier") else 100.0
    if not math.isfinite(threshold) or not 0 <= threshold <= most:
        raise _invalid("threshold", f"A number between 0 and {most:g}.")
    if not 1 <= k <= n <= 30:
        raise _invalid("k", "1 ≤ k ≤ n ≤ 30.")
    if not 1 <= min_rows <= 2_000_000_000:
        raise _invalid("min_rows", "At least one row.")


@transaction.atomic
def switch(*, caller: Caller, rule: AlertRule, is_active: bool) -> AlertRule:
    """Let it raise alerts, or not. Raises: Conflict (it is so already), NotAllowed."""
    caller.insist(Capability.MONITOR_EDIT)
    held = _locked(rule)
    if held.is_active == is_active:
        raise Conflict(f"“{held.name}” is {'on' if is_active else 'off'} already.")
    held.is_active = is_active
    held.save(update_fields=["is_active"])
    _record(Action.ALERT_RULE_UPDATED, held, caller, after={"is_active": is_active})
    return held


@transaction.atomic
def mute(*, caller: Caller, rule: AlertRule, until: datetime | None) -> AlertRule:
    """Until then the rule opens no alert and tells nobody; None ends that now.

    Raises: Invalid (past, or further away than 90 days), NotAllowed.
    """
    caller.insist(Capability.ALERT_HANDLE)
    now = timezone.now()
    if until is not None and not now < until <= now + MAX_MUTE:
        raise _invalid("until", f"A time within the next {MAX_MUTE.days} days.")
    held = _locked(rule)
    held.muted_until = until
    held.save(update_fields=["muted_until"])
    _record(Action.ALERT_RULE_UPDATED, held, caller, after={"muted_until": until})
    return held


def backtest(rule: AlertRule, **instead: Any) -> dict[str, Any]:
    """What the rule (with some of ``threshold``, ``k``, ``n`` changed) would have said so far.

    Looks at stored results only. Returns: ``{"windows", "crossings", "alerts", "sentence",
    "history"}``; an alert counts as resolved with the first calm window.
    Raises: Invalid.
    """
    condition = replace(rule.condition, **instead)
    insist_sound(
        kind=condition.kind,
        metric=condition.metric,
        threshold=condition.threshold,
        k=condition.k,
        n=condition.n,
        min_rows=condition.min_rows,
    )
    verdicts = judge(condition, selectors.window_facts(rule.monitor))
    return summary(verdicts)


def summary(verdicts: list[Verdict]) -> dict[str, Any]:
    """A back-test's answer from its verdicts."""
    opened = {verdict.key for verdict in episodes(verdicts)}
    crossings = sum(verdict.crossed for verdict in verdicts)
    return {
        "windows": len(verdicts),
        "crossings": crossings,
        "alerts": len(opened),
        "sentence": _sentence(len(verdicts), crossings, len(opened)),
        "history": [
            {
                "start": verdict.start,
                "value": verdict.value,
                "column": verdict.columns[0] if verdict.columns else "",
                "crossed": verdict.crossed,
                "would_alert": verdict.key in opened,
            }
            for verdict in verdicts
        ],
    }


def _sentence(windows: int, crossings: int, alerts: int) -> str:
    if not windows:
        return "No window can be judged by it yet."
    plural = "" if alerts == 1 else "s"
    of = f"{windows} window" + ("" if windows == 1 else "s")
    return f"{alerts} alert{plural} in {of}; {crossings} crossed."


def _locked(rule: AlertRule) -> AlertRule:
    return (
        AlertRule.objects.select_for_update(of=("self",)).select_related("monitor").get(pk=rule.pk)
    )


def _content(rule: AlertRule) -> dict[str, Any]:
    return {
        "monitor": str(rule.monitor.uid),
        "kind": str(rule.kind),
        "metric": str(rule.metric),
        "threshold": rule.threshold,
        "k": rule.k,
        "n": rule.n,
        "min_rows": rule.min_rows,
        "severity": str(rule.severity),
        "is_active": rule.is_active,
    }


def _record(action: Action, rule: AlertRule, caller: Caller, *, after: dict[str, Any]) -> None:
    audit.record(
        action,
        actor=caller.actor,
        object_type="alert_rule",
        object_id=str(rule.uid),
        object_name=f"{rule.name}, {rule.monitor.name}",
        after=after,
    )


def _invalid(field: str, reason: str) -> Invalid:
    return Invalid(reason, fields={field: [reason]})
