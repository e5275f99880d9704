"""Making a monitor: the reference is profiled once, its edges and its calibration are frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from django.db import IntegrityError, transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import AlreadyExists, Conflict, Invalid
from monitoring.metrics.estimate import SCORE_BINS, Calibration, threshold_edge
from monitoring.models import AlertRule, Monitor, ReferenceColumn
from monitoring.profiles import NumericSpec, columns
from monitoring.profiles.codec import pack_counts, pack_spec
from monitoring.services import rules
from registry import selectors as registry
from registry.names import insist_name
from registry.services import datasets

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import Dataset, Environment, ModelVersion

MAX_REFERENCE_ROWS = 2_000_000
MAX_COLUMNS = 300
#: Text of more different values than this is no category; only its length is looked at.
MOST_CATEGORIES = 1000
DEFAULT_RULE = "Drift"


@dataclass(frozen=True, slots=True)
class Meaning:
    """Which columns of rows and reference mean what; the label may be missing."""

    id: str
    time: str
    score: str
    label: str = ""


def create(
    *,
    caller: Caller,
    name: str,
    version: ModelVersion,
    environment: Environment,
    reference: Dataset,
    meaning: Meaning,
    window_kind: str = Monitor.WindowKind.DAY,
    decision_threshold: float | None = None,
    watched: Sequence[str] | None = None,
    default_rule: bool = True,
) -> Monitor:
    """Freeze a reference and begin to watch.

    The reference holds the watched columns and the version's scores on them; with labels the
    score is calibrated, and performance can be estimated before labels arrive.

    Raises: Invalid (a column is missing or of the wrong kind, named by its input), AlreadyExists,
        Conflict (the reference is not read yet), NotAllowed.
    """
    caller.insist(Capability.MONITOR_EDIT)
    monitor = Monitor(
        workspace=caller.workspace,
        name=insist_name(name),
        model=version.model,
        environment=environment,
        version=version,
        reference=reference,
        window_kind=window_kind,
        id_column=meaning.id,
        time_column=meaning.time,
        score_column=meaning.score,
        label_column=meaning.label,
        decision_threshold=_threshold(decision_threshold, version),
        created_by_pid=caller.actor.pid,
    )
    if Monitor.objects.filter(workspace=caller.workspace, name=monitor.name).exists():
        raise _name_taken(monitor)
    known = _insist_columns(reference, meaning)
    monitor.columns = _columns(reference, known, meaning, watched)
    rows = _profile(monitor, reference)
    return _insert(monitor, rows, caller=caller, default_rule=default_rule)


def _threshold(given: float | None, version: ModelVersion) -> float:
    if given is not None:
        return given
    return 0.5 if version.decision_threshold is None else version.decision_threshold


def _insist_columns(reference: Dataset, meaning: Meaning) -> dict[str, dict[str, Any]]:
    registry.insist_ready(reference)
    if reference.rows > MAX_REFERENCE_ROWS:
        raise _invalid(
            "reference",
            f"A reference has at most {MAX_REFERENCE_ROWS:,} rows, this one {reference.rows:,}: "
            "take a sample.",
        )
    known = {column["name"]: column for column in reference.columns}
    for field, column in (("score_column", meaning.score), ("label_column", meaning.label)):
        if column and column not in known:
            raise _invalid(field, f"{reference.name} has no column “{column[:60]}”.")
    if not meaning.score or not meaning.id or not meaning.time:
        field = next(f for f in ("score", "id", "time") if not getattr(meaning, f))
        raise _invalid(f"{field}_column", "This column is needed.")
    if known[meaning.score]["type"] not in ("number", "integer"):
        raise _invalid("score_column", f"“{meaning.score}” holds no numbers.")
    if known[meaning.score]["nulls"]:
        raise _invalid("score_column", "Every row of the reference needs a score.")
    used = [name for name in (meaning.id, meaning.time, meaning.score, meaning.label) if name]
    if len(set(used)) != len(used):
        raise _invalid("score_column", "A column has one meaning only.")
    return known


def _columns(
    reference: Dataset,
    known: dict[str, dict[str, Any]],
    meaning: Meaning,
    watched: Sequence[str] | None,
) -> list[dict[str, str]]:
    special = {meaning.id, meaning.time, meaning.score, meaning.label}
    names = list(watched) if watched is not None else [n for n in known if n not in special]
    wrong = [name for name in names if name not in known or name in special]
    if wrong:
        raise _invalid("columns", f"“{wrong[0][:60]}” is no feature of {reference.name}.")
    if not names or len(set(names)) != len(names) or len(names) > MAX_COLUMNS:
        raise _invalid("columns", f"Watch 1 to {MAX_COLUMNS} columns, each once.")
    times = [name for name in names if known[name]["type"] == "time"]
    if times and watched is not None:
        raise _invalid("columns", f"“{times[0][:60]}” holds times, which are not watched.")
    found = []
    for name in names:
        if name not in times:
            kind, policy = _treatment(known[name], reference.rows)
            found.append({"name": name, "kind": kind, "policy": policy})
    return [*found, {"name": meaning.score, "kind": columns.NUMERIC, "policy": columns.KEEP}]


def _treatment(column: dict[str, Any], rows: int) -> tuple[str, str]:
    """Kind and policy: what is nearly unique gets counts and lengths only (DESIGN, promise 10)."""
    filled = max(1, rows - int(column["nulls"]))
    distinct = int(column.get("distinct") or 0)
    if column["type"] == "number":
        return columns.NUMERIC, columns.KEEP
    if column["type"] == "integer":
        is_identifier = distinct > 50 and distinct >= 0.95 * filled
        return columns.NUMERIC, columns.COUNT if is_identifier else columns.KEEP
    if column["type"] == "boolean":
        return columns.CATEGORICAL, columns.KEEP
    is_free = distinct > MOST_CATEGORIES or (distinct > 20 and distinct > 0.5 * filled)
    return columns.CATEGORICAL, columns.COUNT if is_free else columns.KEEP


def _profile(monitor: Monitor, reference: Dataset) -> list[ReferenceColumn]:
    names = [column["name"] for column in monitor.columns]
    if monitor.label_column:
        names.append(monitor.label_column)
    table = datasets.read_table(reference, names)
    made = []
    for position, column in enumerate(monitor.columns):
        name, kind, policy = column["name"], column["kind"], column["policy"]
        values = _array(table, name)
        is_score = name == monitor.score_column
        try:
            spec = (
                _score_spec(values, monitor)
                if is_score
                else columns.spec_of(values, kind=kind, policy=policy, salt=bytes(monitor.id_key))
            )
        except ValueError:
            raise _invalid("columns", f"“{name[:60]}” is empty in the reference.") from None
        profile = columns.profile_of(values, spec, policy=policy)
        made.append(
            ReferenceColumn(
                position=position,
                name=name,
                kind=columns.stored_kind(kind, policy),
                spec=pack_spec(spec),
                counts=pack_counts(profile),
                facts=profile.facts(),
                calibration=(
                    _calibration(table, spec, monitor)
                    if is_score and isinstance(spec, NumericSpec)
                    else {}
                ),
            )
        )
    return made


def _array(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name).combine_chunks()
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _score_spec(values: pa.Array, monitor: Monitor) -> NumericSpec:
    scores = columns.floats(values)
    if not np.isfinite(scores).all():
        raise _invalid("score_column", "Every score of the reference is a finite number.")
    # The threshold is an edge, so that accuracy can be estimated from the histogram exactly.
    edge = threshold_edge(monitor.decision_threshold)
    return NumericSpec.from_reference(scores, SCORE_BINS, also=(edge,), tails=0)


def _calibration(table: pa.Table, spec: NumericSpec, monitor: Monitor) -> dict[str, Any]:
    if not monitor.label_column:
        return {}
    column = _array(table, monitor.label_column)
    wrong = _invalid("label_column", f"“{monitor.label_column}” holds more than 0 and 1.")
    if pa.types.is_string(column.type) or pa.types.is_dictionary(column.type):
        raise wrong
    labels = columns.floats(column)
    if not np.isin(labels[~np.isnan(labels)], (0.0, 1.0)).all():
        raise wrong
    scores = columns.floats(_array(table, monitor.score_column))
    return Calibration.of(scores, labels, spec.edges, monitor.decision_threshold).as_json()


@transaction.atomic
def _insert(
    monitor: Monitor, made: list[ReferenceColumn], *, caller: Caller, default_rule: bool
) -> Monitor:
    try:
        with transaction.atomic():
            monitor.save(force_insert=True)
    except IntegrityError as error:
        if "monitor_name_once" not in str(error):
            raise
        raise _name_taken(monitor) from None
    monitor.refresh_from_db(fields=["created_at"])
    for column in made:
        column.monitor = monitor
    ReferenceColumn.objects.bulk_create(made)
    audit.record(
        Action.MONITOR_CREATED,
        actor=caller.actor,
        object_type="monitor",
        object_id=str(monitor.uid),
        object_name=monitor.name,
        after={
            "model": monitor.model.name,
            "version": monitor.version.number,
            "environment": monitor.environment.name,
            "reference": monitor.reference.digest,
            "window": str(monitor.window_kind),
            "columns": len(made),
        },
    )
    if default_rule:
        rules.create(caller=caller, monitor=monitor, name=DEFAULT_RULE, kind=AlertRule.Kind.DRIFT)
    return monitor


@transaction.atomic
def pause(*, caller: Caller, monitor: Monitor, paused: bool) -> Monitor:
    """Stop (or go on) raising alerts; rows and labels are still counted.

    Raises: Conflict, when it is so already; NotAllowed.
    """
    caller.insist(Capability.MONITOR_EDIT)
    from django.utils import timezone

    held = Monitor.objects.select_for_update(no_key=True).get(pk=monitor.pk)
    if (held.paused_at is not None) == paused:
        raise Conflict(f"{held.name} is {'paused' if paused else 'watching'} already.")
    held.paused_at = timezone.now() if paused else None
    held.save(update_fields=["paused_at"])
    audit.record(
        Action.MONITOR_UPDATED,
        actor=caller.actor,
        object_type="monitor",
        object_id=str(held.uid),
        object_name=held.name,
        after={"paused": paused},
    )
    return held


def _invalid(field: str, reason: str) -> Invalid:
    return Invalid(reason, fields={field: [reason]})


def _name_taken(monitor: Monitor) -> AlreadyExists:
    reason = f"There is a monitor named “{monitor.name}” already."
    return AlreadyExists(reason, fields={"name": [reason]})
