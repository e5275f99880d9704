"""Making a monitor: the reference is profiled, its score calibrated; what is wrong is named."""

from __future__ import annotations

import numpy as np
import pytest

from audit.actions import Action
from common.errors import AlreadyExists, Conflict, Invalid, NotAllowed
from monitoring import selectors
from monitoring.models import AlertRule, Monitor, ReferenceColumn
from monitoring.profiles import NumericProfile
from monitoring.services import monitors, rules
from monitoring.services.monitors import Meaning
from tests.factories import monitoring as make
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db
MEANING = {"id": "flight_id", "time": "scheduled_at", "score": "score", "label": "late"}


@pytest.fixture
def dataset(workspace):
    return make.reference(workspace)


def test_the_reference_is_frozen_with_calibration_and_the_default_rule(workspace, dataset):
    monitor = make.monitor(workspace, dataset=dataset)

    assert [(c["name"], c["kind"], c["policy"]) for c in monitor.columns] == [
        ("temp", "numeric", "keep"),
        ("carrier", "categorical", "keep"),
        ("score", "numeric", "keep"),
    ]
    known = selectors.reference_columns(monitor)
    assert all(profile.rows == 3000 for _, _, profile in known)
    score, spec, profile = known[-1]
    assert isinstance(profile, NumericProfile)
    assert sum(score.calibration["rows"]) == 3000
    assert np.nextafter(0.5, 0) in spec.edges
    rule = monitor.rules.get()
    assert (rule.kind, rule.threshold, rule.k, rule.n) == ("drift", 0.1, 2, 3)
    assert recorded_actions()[-2:] == [Action.MONITOR_CREATED, Action.ALERT_RULE_CREATED]


def test_only_what_is_asked_for_is_watched(workspace, dataset):
    monitor = make.monitor(workspace, dataset=dataset, watched=["temp"], default_rule=False)
    assert [c["name"] for c in monitor.columns] == ["temp", "score"]
    assert not monitor.rules.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"meaning": Meaning(**{**MEANING, "score": "nothing"})}, "score_column"),
        ({"meaning": Meaning(**{**MEANING, "label": "nothing"})}, "label_column"),
        ({"meaning": Meaning(**{**MEANING, "score": "carrier"})}, "score_column"),
        ({"meaning": Meaning(**{**MEANING, "label": "carrier"})}, "label_column"),
        ({"meaning": Meaning(**{**MEANING, "label": "temp"})}, "label_column"),
        ({"meaning": Meaning(**{**MEANING, "label": "score"})}, "score_column"),
        ({"meaning": Meaning(**{**MEANING, "id": ""})}, "id_column"),
        ({"watched": ["nothing"]}, "columns"),
        ({"watched": ["temp", "temp"]}, "columns"),
        ({"watched": []}, "columns"),
        ({"watched": ["late"]}, "columns"),
        ({"name": "a/b"}, "name"),
        ({"name": "x" * 256}, "name"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(workspace, dataset, changes, field):
    before = recorded_actions()
    with pytest.raises(Invalid) as caught:
        make.monitor(workspace, dataset=dataset, **changes)
    assert list(caught.value.fields) == [field]
    assert not Monitor.objects.exists()
    assert not ReferenceColumn.objects.exists()
    assert recorded_actions() == before


def test_empty_columns_missing_scores_and_infinite_scores_are_refused(workspace):
    for index, (column, values, field) in enumerate(
        (
            ("empty", [None] * 3000, "columns"),
            ("score", [None] + [0.5] * 2999, "score_column"),
            ("score", [float("inf")] + [0.5] * 2999, "score_column"),
        )
    ):
        dataset = make.reference(
            workspace, name=f"bad-{index}", **{"empty": [1.0] * 3000, column: values}
        )
        with pytest.raises(Invalid) as caught:
            make.monitor(workspace, dataset=dataset)
        assert list(caught.value.fields) == [field]


def test_a_name_is_taken_once_and_a_dataset_must_be_ready(workspace, dataset):
    make.monitor(workspace, dataset=dataset, name="one")
    with pytest.raises(AlreadyExists):
        make.monitor(workspace, dataset=dataset, name="one")
    dataset.state = "profiling"
    with pytest.raises(Conflict):
        make.monitor(workspace, dataset=dataset, name="two")
    dataset.state, dataset.rows = "ready", monitors.MAX_REFERENCE_ROWS + 1
    with pytest.raises(Invalid, match="sample"):
        make.monitor(workspace, dataset=dataset, name="two")


def test_a_viewer_makes_none(workspace, dataset, caller_for):
    with pytest.raises(NotAllowed):
        make.monitor(workspace, dataset=dataset, caller=caller_for("viewer"))


def test_pausing_and_going_on(workspace, caller_for):
    monitor = make.bare_monitor(workspace)
    caller = caller_for("operator")
    assert monitors.pause(caller=caller, monitor=monitor, paused=True).paused_at
    with pytest.raises(Conflict):
        monitors.pause(caller=caller, monitor=monitor, paused=True)
    assert monitors.pause(caller=caller, monitor=monitor, paused=False).paused_at is None
    assert recorded_actions() == [Action.MONITOR_UPDATED, Action.MONITOR_UPDATED]


# rules


def rule(monitor, **changes) -> AlertRule:
    fields = {"name": "AUC", "kind": "performance", "metric": "auc", "threshold": 0.65, **changes}
    return rules.create(caller=make.system(monitor.workspace), monitor=monitor, **fields)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"metric": "psi"}, "metric"),
        ({"kind": "drift"}, "metric"),
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"k": 4}, "k"),
        ({"n": 31, "k": 2}, "k"),
        ({"min_rows": 0}, "min_rows"),
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(workspace, dataset, changes, field):
    monitor = make.monitor(workspace, dataset=dataset)
    with pytest.raises(Invalid) as caught:
        rule(monitor, **changes)
    assert list(caught.value.fields) == [field]
    assert monitor.rules.count() == 1


def test_performance_needs_a_label_and_a_name_is_taken_once(workspace, dataset):
    without = make.bare_monitor(workspace)
    with pytest.raises(Invalid, match="no label column"):
        rule(without)
    monitor = make.monitor(workspace, dataset=dataset)
    rule(monitor)
    with pytest.raises(AlreadyExists):
        rule(monitor)


def test_the_database_holds_the_rules_shape(workspace):
    from django.db import IntegrityError, transaction

    monitor = make.bare_monitor(workspace)
    for bad in ({"metric": "auc"}, {"k": 4, "n": 3}):
        fields = {"kind": "drift", "metric": "psi", **bad}
        with pytest.raises(IntegrityError), transaction.atomic():
            AlertRule.objects.create(monitor=monitor, name="x", created_by_pid="p", **fields)


def test_a_rule_is_switched_once(workspace):
    found = make.bare_monitor(workspace).rules.get()
    caller = make.system(workspace)
    rules.switch(caller=caller, rule=found, is_active=False)
    with pytest.raises(Conflict):
        rules.switch(caller=caller, rule=found, is_active=False)


def test_a_backtest_reads_the_history_and_changes_nothing(workspace):
    monitor = make.monitor(workspace)
    make.days(monitor, 0.0, 2.0, 2.0, 0.0, 2.0)
    before = recorded_actions()
    found = rules.backtest(monitor.rules.get())
    assert (found["windows"], found["crossings"], found["alerts"]) == (5, 3, 2)
    assert [item["would_alert"] for item in found["history"]] == [False, False, True, False, True]
    assert rules.backtest(monitor.rules.get(), threshold=50.0)["crossings"] == 0
    with pytest.raises(Invalid):
        rules.backtest(monitor.rules.get(), k=9)
    assert recorded_actions() == before
