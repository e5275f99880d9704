"""Alerts: opened once, told once, to whom and with what to do; then dealt with."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from audit.actions import Action
from common.errors import Invalid, InvalidTransition, NotAllowed
from jobs.models import Job
from jobs.services.claim import claim_job
from jobs.services.run import run, run_until_idle
from monitoring.models import Alert
from monitoring.services import alerts, monitors, rules
from monitoring.signals import threshold_crossed
from outbound.models import Message
from tests.factories import monitoring as make
from tests.factories.registry import AliasFactory, ModelVersionFactory
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard():
    """Alerts that the signal told of."""
    found = []

    def listen(sender, *, alert, **_):
        found.append(alert)

    threshold_crossed.connect(listen)
    yield found
    threshold_crossed.disconnect(listen)


def test_drift_in_two_windows_opens_one_alert_and_tells_the_right_people(
    workspace, person, heard, django_capture_on_commit_callbacks
):
    owner, operator = person("model_owner"), person("operator")
    person("viewer")
    monitor = make.monitor(workspace, owner=owner)
    with django_capture_on_commit_callbacks(execute=True):
        make.days(monitor, 0.0, 2.0)
    assert not Alert.objects.exists()

    with django_capture_on_commit_callbacks(execute=True):
        make.send(monitor, make.rows(600, seed=99, shift=2.0, at=make.START + timedelta(days=2)))
        run_until_idle(20)

    alert = monitor.alerts.get()
    assert (alert.number, alert.state, alert.window.start.day) == (1, "open", 3)
    assert re.match("(score and temp|temp and score) have drifted on 3 April 2013", alert.cause)
    assert "second time in 3 windows" in alert.cause
    assert "retrain with rows of 3 April 2013" in alert.what_to_do
    message = Message.objects.get()
    assert message.to == [owner.email, operator.email]
    assert alert.what_to_do in message.body
    assert f"/w/acme/monitoring/alerts/{alert.uid}/" in message.body
    assert message.subject.startswith("A-1: Drift on")
    assert recorded_actions().count(Action.ALERT_OPENED) == 1
    assert heard == [alert]
    assert heard[0].monitor.model_id == monitor.model_id
    assert (heard[0].severity, heard[0].title) == ("high", f"A-1: Drift on {monitor.name}")


def test_while_one_is_unresolved_no_other_is_opened_and_then_one_is(workspace):
    monitor = make.monitor(workspace)
    make.days(monitor, 2.0, 2.0, 2.0)
    alert = monitor.alerts.get()
    alerts.resolve(caller=make.system(workspace), alert=alert, note="A heat wave.")
    make.send(monitor, make.rows(600, seed=77, shift=2.0, at=make.START + timedelta(days=3)))
    run_until_idle(20)
    assert sorted(monitor.alerts.values_list("state", flat=True)) == ["open", "resolved"]
    assert Message.objects.count() == 2


def test_a_window_alerts_once_for_each_rule_even_after_resolving(workspace):
    monitor = make.monitor(workspace)
    make.days(monitor, 2.0, 2.0)
    alerts.resolve(caller=make.system(workspace), alert=monitor.alerts.get())
    # late rows open the same window again
    make.send(monitor, make.rows(50, seed=5, shift=2.0, at=make.START + timedelta(days=1)))
    run_until_idle(20)
    assert monitor.windows.last().revision == 2
    assert monitor.alerts.count() == 1


def test_a_late_window_can_tip_the_one_after_it(workspace):
    monitor = make.monitor(workspace)
    late = make.rows(600, seed=1, shift=2.0, at=make.START)
    make.send(monitor, make.rows(600, seed=2, shift=2.0, at=make.START + timedelta(days=1)))
    run_until_idle(20)
    assert not monitor.alerts.exists()
    make.send(monitor, late)
    run_until_idle(20)
    assert monitor.alerts.get().window.start == make.START + timedelta(days=1)


def test_labels_that_show_a_worse_score_open_a_performance_alert(workspace):
    monitor = make.monitor(workspace, default_rule=False)
    version = ModelVersionFactory(model=monitor.model)
    AliasFactory(version=version, ended_at=timezone.now() + timedelta(minutes=1))
    AliasFactory(version=monitor.version)
    rules.create(
        caller=make.system(workspace), monitor=monitor, name="AUC", kind="performance",
        metric="auc", threshold=0.6, k=1, n=1,
    )  # fmt: skip
    sent = make.rows(800)
    make.send(monitor, sent)
    run_until_idle(20)
    assert not monitor.alerts.exists()

    make.send(monitor, make.labels(sent, noise=True), what="labels")
    run_until_idle(20)

    alert = monitor.alerts.get()
    assert alert.cause.startswith("AUC was 0.")
    assert "at or below the limit of 0.6" in alert.cause
    assert f"return to version {version.number}" in alert.what_to_do


@pytest.mark.parametrize("quiet", ["muted", "off", "paused"])
def test_a_muted_or_switched_off_rule_and_a_paused_monitor_are_silent(workspace, quiet):
    monitor = make.monitor(workspace)
    rule, caller = monitor.rules.get(), make.system(workspace)
    if quiet == "muted":
        rules.mute(caller=caller, rule=rule, until=timezone.now() + timedelta(hours=1))
    elif quiet == "off":
        rules.switch(caller=caller, rule=rule, is_active=False)
    else:
        monitors.pause(caller=caller, monitor=monitor, paused=True)
    make.days(monitor, 2.0, 2.0)
    assert not Alert.objects.exists()
    assert not Message.objects.exists()


def test_a_mute_ends_within_ninety_days(workspace):
    rule, caller = make.bare_monitor(workspace).rules.get(), make.system(workspace)
    for until in (timezone.now(), timezone.now() + timedelta(days=91)):
        with pytest.raises(Invalid):
            rules.mute(caller=caller, rule=rule, until=until)


def test_an_alert_without_anybody_to_tell_is_still_opened(workspace, person):
    owner = person("model_owner")
    owner.memberships.all().delete()
    monitor = make.monitor(workspace, owner=owner)
    make.days(monitor, 2.0, 2.0)
    assert monitor.alerts.get().facts["told"] == 0
    assert not Message.objects.exists()


def test_numbers_count_within_a_workspace(workspace):
    for _ in range(2):
        make.days(make.monitor(workspace), 2.0, 2.0)
    assert sorted(Alert.objects.values_list("number", flat=True)) == [1, 2]


def test_a_person_takes_it_on_and_resolves_it(workspace, caller_for):
    alert = make.bare_alert(workspace)
    caller = caller_for("operator")
    alerts.acknowledge(caller=caller, alert=alert, note="Looking.")
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by, alert.note) == (
        "acknowledged", caller.user, "Looking.",
    )  # fmt: skip
    with pytest.raises(InvalidTransition):
        alerts.acknowledge(caller=caller, alert=alert)
    alerts.resolve(caller=caller, alert=alert)
    with pytest.raises(InvalidTransition):
        alerts.resolve(caller=caller, alert=alert)
    alert.refresh_from_db()
    assert (alert.state, alert.note) == ("resolved", "Looking.")
    assert recorded_actions() == [Action.ALERT_ACKNOWLEDGED, Action.ALERT_RESOLVED]


def test_a_viewer_handles_nothing_and_a_process_takes_nothing_on(workspace, caller_for):
    alert = make.bare_alert(workspace)
    for act in (alerts.acknowledge, alerts.resolve):
        with pytest.raises(NotAllowed):
            act(caller=caller_for("viewer"), alert=alert)
    with pytest.raises(NotAllowed):
        alerts.acknowledge(caller=make.system(workspace), alert=alert)
    with pytest.raises(Invalid):
        alerts.resolve(caller=make.system(workspace), alert=alert, note="x" * 1001)
    alert.refresh_from_db()
    assert alert.state == "open"
    assert recorded_actions() == []


def test_the_database_holds_one_unresolved_alert_a_rule_and_whole_states(workspace):
    alert = make.bare_alert(workspace)
    shared = {"workspace": workspace, "monitor": alert.monitor, "rule": alert.rule, "cause": "x"}
    other = alert.monitor.windows.create(
        start=make.START + timedelta(days=5), end=make.START + timedelta(days=6)
    )
    for window, state in ((other, "open"), (alert.window, "resolved")):
        resolved = timezone.now() if state == "resolved" else None
        with pytest.raises(IntegrityError), transaction.atomic():
            Alert.objects.create(
                number=9, window=window, state=state, resolved_at=resolved, **shared
            )
    with pytest.raises(IntegrityError), transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(state="resolved")


def test_names_are_listed_as_people_do():
    assert alerts.listed(("a",)) == "a"
    assert alerts.listed(("a", "b", "c")) == "a, b and c"
    assert alerts.listed(("a", "b", "c", "d")) == "a, b, c and 1 more column"


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("locked", [True, False], ids=["with the lock", "by constraints alone"])
def test_two_evaluations_at_the_same_moment_open_one_alert(workspace, monkeypatch, locked):
    """Two windows that both alarm, evaluated together, each held just before it opens the alert.

    With the monitor's lock the second is turned away; without it the constraints decide.
    """
    from monitoring.services import holding, windows

    monitor = make.monitor(workspace)
    monitor.rules.update(is_active=False)
    found = make.days(monitor, 2.0, 2.0, 2.0)
    monitor.rules.update(is_active=True)
    monitor.windows.filter(pk__in=[found[1].pk, found[2].pk]).update(is_dirty=True)
    barrier = threading.Barrier(2)
    opening = alerts._open
    met, turned_away, failed = [], [], []

    def held(*args):
        try:
            barrier.wait(timeout=1 if locked else 20)
            met.append(1)
        except threading.BrokenBarrierError:
            assert locked, "without the lock both get here together"
        return opening(*args)

    def unlocked(monitor_id):
        return holding.Monitor.objects.select_related(
            "workspace", "model__owner", "model__workspace", "environment", "version"
        ).get(pk=monitor_id)

    monkeypatch.setattr(alerts, "_open", held)
    if not locked:
        monkeypatch.setattr(windows, "hold", unlocked)

    def work(window_id):
        try:
            windows.evaluate(window_id=window_id, monitor_id=monitor.pk)
        except holding.Busy:
            turned_away.append(window_id)
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(window.pk,)) for window in found[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    monkeypatch.undo()
    for window_id in turned_away:
        windows.evaluate(window_id=window_id, monitor_id=monitor.pk)

    assert failed == []
    assert (len(met), len(turned_away)) == ((0, 1) if locked else (2, 0))
    assert monitor.alerts.count() == 1
    assert Message.objects.count() == 1
    assert recorded_actions().count(Action.ALERT_OPENED) == 1
    assert set(monitor.windows.values_list("is_dirty", "revision")) == {(False, 1), (False, 2)}


@pytest.mark.serial
@pytest.mark.django_db(transaction=True)
def test_two_workers_count_the_same_ids_at_the_same_moment_once(workspace):
    """Overlapping uploads to one window: every id counts once, whichever worker was first."""
    monitor = make.monitor(workspace)
    sent = make.rows(400)
    parts = [{n: v[:300] for n, v in sent.items()}, {n: v[100:] for n, v in sent.items()}]
    uploads = [make.send(monitor, part) for part in parts]
    start = threading.Barrier(2)

    def work(uid):
        try:
            claim = claim_job(uid)
            start.wait(timeout=20)
            run(claim)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(upload.job.uid,)) for upload in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    run_until_idle(30)

    window = monitor.windows.get()
    assert window.rows == 400
    assert sum(monitor.ingests.values_list("accepted", flat=True)) == 400
    assert window.profiles.get(column__name="temp").facts["rows"] == 400
    assert set(Job.objects.values_list("state", flat=True)) == {"succeeded"}
