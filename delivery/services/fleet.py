"""What devices say they run: the last state of each, and how many spoke on each day."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.utils import timezone

from accounts.roles import Capability
from common.errors import Invalid
from delivery.models import Device
from delivery.models.fleet import RING_NAME
from registry.models import ModelVersion

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import RegisteredModel

MAX_REPORTS = 1000
SKEW = timedelta(minutes=5)
#: A release that is none of this model's; counted together, so that rubbish makes no rows.
UNKNOWN = "unknown"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Report:
    """One device says: I run this, in this ring, at this time."""

    device_id: str
    digest: str
    at: datetime
    ring: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """How many reports were taken, and how many were older than what was known."""

    reports: int
    late: int


def why_not_a_device(device_id: str) -> str:
    """Why this text is no name for a device here; empty when it is.

    A pseudonym is wanted: what looks like an address, a telephone or a serial number is refused.
    """
    if not _ID.match(device_id):
        return "1 to 128 letters, digits, “.”, “_” and “-”."
    if _ADDRESS.match(device_id):
        return "looks like a network address: send a pseudonym."
    if device_id.isdigit() and 9 <= len(device_id) <= 20:
        return "looks like a telephone or serial number: send a pseudonym, such as its hash."
    return ""


def receive(*, caller: Caller, model: RegisteredModel, reports: Sequence[Report]) -> Taken:
    """Take all of the reports or none; of one device the newest counts.

    Safe to send twice, and in any order: a device's state only moves forward in its own time.

    Raises: Invalid (with the place of each wrong report), NotAllowed.
    """
    caller.insist(Capability.PREDICTIONS_WRITE)
    _insist_sane(reports)
    newest: dict[str, Report] = {}
    for report in reports:
        present = newest.get(report.device_id)
        if present is None or report.at > present.at:
            newest[report.device_id] = report
    with transaction.atomic():
        late = _take(model, [newest[name] for name in sorted(newest)])
    return Taken(reports=len(reports), late=late)


def _insist_sane(reports: Sequence[Report]) -> None:
    if not 1 <= len(reports) <= MAX_REPORTS:
        text = f"1 to {MAX_REPORTS:,} reports at once."
        raise Invalid(text, fields={"reports": [text]})
    latest = timezone.now() + SKEW
    problems = []
    for number, report in enumerate(reports, start=1):
        why = why_not_a_device(report.device_id)
        if why:
            problems.append(f"{number}: device_id: {why}")
        elif not _DIGEST.match(report.digest):
            problems.append(f"{number}: digest: “sha256:” and 64 small hexadecimal digits.")
        elif report.ring and not re.match(RING_NAME, report.ring):
            problems.append(f"{number}: ring: small letters, digits, “_” and “-”, at most 32.")
        elif report.at > latest:
            problems.append(f"{number}: at: lies in the future.")
        if len(problems) == _SHOWN_PROBLEMS:
            break
    if problems:
        raise Invalid(f"Nothing was taken. Report {problems[0]}", fields={"reports": problems})


def _take(model: RegisteredModel, reports: list[Report]) -> int:
    """Write the states and the day's counts; returns how many were too late to matter."""
    versions = dict(
        ModelVersion.objects.filter(
            model=model, release_digest__in={report.digest for report in reports}
        )
        .order_by("number")
        .values_list("release_digest", "pk")
    )
    names = [report.device_id for report in reports]
    # Missing rows first, at the beginning of time: then every row is there to be locked, in one
    # order, and two batches with the same new device make one of it.
    start = datetime(1970, 1, 1, tzinfo=UTC)
    Device.objects.bulk_create(
        (
            Device(model=model, device_id=it.device_id, seen_at=start, first_seen_at=it.at)
            for it in reports
        ),
        ignore_conflicts=True,
    )
    rows = {
        row.device_id: row
        for row in Device.objects.select_for_update()
        .filter(model=model, device_id__in=names)
        .order_by("device_id")
    }
    counts: Counter[tuple[date, str, str]] = Counter()
    changed = []
    late = 0
    for report in reports:
        row = rows[report.device_id]
        if report.at <= row.seen_at:
            late += report.at < row.seen_at
            continue
        digest = report.digest if report.digest in versions else UNKNOWN
        day = report.at.astimezone(UTC).date()
        if row.seen_at.astimezone(UTC).date() == day:
            counts[(day, row.digest if row.version_id else UNKNOWN, row.ring)] -= 1
        counts[(day, digest, report.ring)] += 1
        row.digest = report.digest
        row.version_id = versions.get(report.digest)
        row.ring = report.ring
        row.seen_at = report.at
        changed.append(row)
    _save(changed)
    _count(model, counts)
    return late


#: One statement with arrays: Django's own way spells a thousand rows as a thousand conditions.
_SAVE = """
    UPDATE delivery_device AS one
       SET digest = told.digest, version_id = told.version_id, ring = told.ring,
           seen_at = told.seen_at
      FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[], %s::timestamptz[])
           AS told(id, digest, version_id, ring, seen_at)
     WHERE one.id = told.id
"""


def _save(rows: list[Device]) -> None:
    if rows:
        columns = ("pk", "digest", "version_id", "ring", "seen_at")
        with connection.cursor() as sql:
            sql.execute(_SAVE, [[getattr(row, name) for row in rows] for name in columns])


_ADD = """
    INSERT INTO delivery_fleetday (model_id, day, digest, ring, devices)
    VALUES (%s, %s, %s, %s, greatest(%s, 0))
    ON CONFLICT (model_id, day, digest, ring)
    DO UPDATE SET devices = greatest(delivery_fleetday.devices + %s, 0)
"""


def _count(model: RegisteredModel, counts: Counter[tuple[date, str, str]]) -> None:
    # In one order, so that two batches wait for each other instead of locking each other out.
    rows = [
        (model.pk, day.isoformat(), digest, ring, change, change)
        for (day, digest, ring), change in sorted(counts.items())
        if change
    ]
    if rows:
        with connection.cursor() as sql:
            sql.executemany(_ADD, rows)
