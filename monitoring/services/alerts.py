"""Alerts: opened once, told once, acknowledged and resolved by people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from accounts import selectors as accounts
from accounts.callers import Caller
from accounts.roles import Capability, Role
from audit.actions import Action
from audit.services import record as audit
from common.commit import after_commit
from common.errors import Invalid, InvalidTransition, NotAllowed
from monitoring import calendar, selectors
from monitoring.models import Alert, AlertRule, Monitor, Window
from monitoring.models.alert import MAX_NOTE
from monitoring.rules import SCORES, Verdict, judge
from monitoring.signals import threshold_crossed
from outbound.services import send
from registry import selectors as registry

if TYPE_CHECKING:
    from registry.models import ModelVersion

#: Rules look back at this many windows when one has changed.
LOOK_BACK = 60
MAX_RECEIVERS = 50


def consider(*, monitor: Monitor, window: Window) -> list[Alert]:
    """Let every active rule look at a window that has new results; the alerts that it opened.

    In the transaction that holds the monitor. A changed window can tip the windows after it, up to
    the rule's ``n``. While one of its alerts is unresolved a rule opens no other, and never two for
    one window, which constraints hold as well.
    """
    if monitor.paused_at is not None:
        return []
    rules = list(monitor.rules.filter(is_active=True))
    if not rules:
        return []
    facts = selectors.window_facts(monitor, LOOK_BACK)
    opened = []
    for rule in rules:
        if rule.muted_until is not None and rule.muted_until > timezone.now():
            continue
        verdicts = judge(rule.condition, facts)
        touched = next((i for i, v in enumerate(verdicts) if v.start >= window.start), None)
        if touched is None or rule.alerts.filter(state__in=selectors.UNRESOLVED).exists():
            continue
        for verdict in verdicts[touched : touched + rule.n]:
            if verdict.alarms and not rule.alerts.filter(window=verdict.key).exists():
                alert = _open(monitor, rule, verdict)
                opened += [alert] if alert is not None else []
                break
    return opened


@transaction.atomic
def acknowledge(*, caller: Caller, alert: Alert, note: str = "") -> Alert:
    """A person takes it on. Raises: InvalidTransition, Invalid, NotAllowed."""
    caller.insist(Capability.ALERT_HANDLE)
    if caller.user is None:
        raise NotAllowed("Somebody has to take it on, not a process.")
    held = _locked(alert)
    if held.state != Alert.State.OPEN:
        raise InvalidTransition(f"{held} is {held.get_state_display().lower()} already.")
    held.state = Alert.State.ACKNOWLEDGED
    held.acknowledged_by, held.acknowledged_at = caller.user, timezone.now()
    held.note = _note(note) or held.note
    held.save(update_fields=["state", "acknowledged_by", "acknowledged_at", "note"])
    _record(Action.ALERT_ACKNOWLEDGED, held, caller, note)
    return held


@transaction.atomic
def resolve(*, caller: Caller, alert: Alert, note: str = "") -> Alert:
    """It is over; the rule may open the next. Raises: InvalidTransition, Invalid, NotAllowed."""
    caller.insist(Capability.ALERT_HANDLE)
    held = _locked(alert)
    if held.state == Alert.State.RESOLVED:
        raise InvalidTransition(f"{held} is resolved already.")
    held.state, held.resolved_at = Alert.State.RESOLVED, timezone.now()
    held.note = _note(note) or held.note
    held.save(update_fields=["state", "resolved_at", "note"])
    _record(Action.ALERT_RESOLVED, held, caller, note)
    return held


def _open(monitor: Monitor, rule: AlertRule, verdict: Verdict) -> Alert | None:
    window = Window.objects.get(pk=verdict.key)
    receivers = _receivers(monitor)
    alert = Alert(
        workspace=monitor.workspace,
        monitor=monitor,
        rule=rule,
        window=window,
        cause=cause_of(monitor, rule, verdict)[:1000],
        what_to_do=what_to_do(monitor, rule, verdict)[:1000],
        facts={
            "value": verdict.value,
            "columns": list(verdict.columns[:20]),
            "count": verdict.count,
            "of": verdict.of,
            "threshold": rule.threshold,
            "revision": window.revision,
            "told": len(receivers),
        },
    )
    try:
        with transaction.atomic():
            alert.number = _next_number(monitor)
            alert.save(force_insert=True)
    except IntegrityError:
        # The constraints say that somebody was quicker; the alert is open, which was all we wanted.
        return None
    alert.refresh_from_db(fields=["opened_at"])
    _record(Action.ALERT_OPENED, alert, Caller.system("monitoring", monitor.workspace))
    if receivers:
        send.mail(
            workspace=monitor.workspace,
            to=receivers,
            subject=f"{alert.title}: {alert.cause}",
            template="monitoring/mail/alert.txt",
            context={"alert": alert, "rule": rule, "monitor": monitor, "url": url_of(alert)},
            dedupe_key=f"alert:{alert.uid}",
            purpose="alert.opened",
        )
    after_commit(threshold_crossed.send, Alert, alert=alert)
    return alert


def cause_of(monitor: Monitor, rule: AlertRule, verdict: Verdict) -> str:
    """What was found, in a sentence made of figures."""
    when = calendar.during(verdict.start, monitor.window_kind)
    often = ""
    if rule.n > 1:
        often = f", for the {_ordinal(verdict.count)} time in {_windows(verdict.of)}"
    if rule.kind == AlertRule.Kind.DRIFT:
        verb = "has" if len(verdict.columns) == 1 else "have"
        return (
            f"{listed(verdict.columns)} {verb} drifted {when}: PSI up to {verdict.value:.2f}, "
            f"the limit is {rule.threshold:g}{often}."
        )
    sign = "at or below" if rule.metric in SCORES else "at or above"
    return (
        f"{rule.get_metric_display()} was {verdict.value:.3f} {when}, "
        f"{sign} the limit of {rule.threshold:g}{often}."
    )


def what_to_do(monitor: Monitor, rule: AlertRule, verdict: Verdict) -> str:
    """The next step, from what is known: look, retrain, or go back to a version that was live."""
    before = earlier_version(monitor)
    back = (
        f", or return to version {before.number}, which was live before"
        if before is not None
        else ""
    )
    when = calendar.label(verdict.start, monitor.window_kind)
    if rule.kind == AlertRule.Kind.DRIFT:
        first = listed(verdict.columns[:3])
        return (
            f"Look at where {first} come{'s' if len(verdict.columns) == 1 else ''} from: a season, "
            f"a new source or a broken one? If the values are right, retrain with rows of {when}"
            f"{back}."
        )
    return f"Retrain with labels up to {when}{back}."


def earlier_version(monitor: Monitor) -> ModelVersion | None:
    """The version that was live in this environment before the present one."""
    history = registry.alias_history(monitor.model).filter(name=monitor.environment.alias)
    live = next((row.version_id for row in history if row.ended_at is None), monitor.version_id)
    return next((row.version for row in history if row.version_id != live), None)


def listed(names: tuple[str, ...], most: int = 3, noun: str = "column") -> str:
    """“temp, humid and pressure”, or “temp, humid, pressure and 2 more columns”."""
    shown = list(names[:most])
    if len(names) > most:
        rest = len(names) - most
        return f"{', '.join(shown)} and {rest} more {noun}{'' if rest == 1 else 's'}"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def url_of(alert: Alert) -> str:
    """The alert's page, with its workspace, for people who read mail elsewhere."""
    slug = alert.monitor.workspace.slug
    return f"{settings.BASE_URL}/w/{slug}/monitoring/alerts/{alert.uid}/"


def _receivers(monitor: Monitor) -> list[str]:
    """The model's owner first, then the operators."""
    people = list(accounts.people_with_role(monitor.workspace, Role.OPERATOR))
    owner = monitor.model.owner
    if registry.is_member(owner, monitor.workspace):
        people.insert(0, owner)
    return list(dict.fromkeys(person.email for person in people))[:MAX_RECEIVERS]


def _next_number(monitor: Monitor) -> int:
    with connection.cursor() as sql:
        # Two monitors of a workspace may alarm at the same moment.
        sql.execute(
            "SELECT pg_advisory_xact_lock(hashtext('monitoring.alert'), %s)",
            [monitor.workspace_id % 2**31],
        )
    last = Alert.objects.filter(workspace=monitor.workspace).aggregate(last=Max("number"))["last"]
    return int(last or 0) + 1


def _locked(alert: Alert) -> Alert:
    return (
        Alert.objects.select_for_update(of=("self",))
        .select_related("monitor", "rule", "workspace")
        .get(pk=alert.pk)
    )


def _note(note: str) -> str:
    if len(note) > MAX_NOTE or "\x00" in note:
        reason = f"A note has at most {MAX_NOTE:,} characters."
        raise Invalid(reason, fields={"note": [reason]})
    return note.strip()


def _record(action: Action, alert: Alert, caller: Caller, note: str = "") -> None:
    audit.record(
        action,
        actor=caller.actor,
        object_type="alert",
        object_id=str(alert.uid),
        object_name=str(alert),
        after={"state": str(alert.state), "rule": str(alert.rule.uid)},
        details={"monitor": str(alert.monitor.uid), "facts": alert.facts},
        pii={"note": note.strip()} if note.strip() else None,
    )


def _ordinal(number: int) -> str:
    words = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
    return words.get(number, f"{number}th")


def _windows(count: int) -> str:
    return f"{count} window{'' if count == 1 else 's'}"
