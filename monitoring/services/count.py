"""The jobs' part: rows are counted into their windows exactly once, then deleted."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone

from jobs.errors import Fail
from jobs.registry import Continue, Done
from monitoring import calendar, selectors
from monitoring.models import ColumnProfile, Ingest, Monitor, ReferenceColumn, Window
from monitoring.profiles import columns
from monitoring.profiles.codec import Profile, Spec, pack_counts, unpack_profile
from monitoring.services.holding import Busy, hold
from monitoring.services.ingest import forget_rows

if TYPE_CHECKING:
    from jobs.services.claim import Claim

#: Rows counted in one transaction.
CHUNK_ROWS = 50_000
#: Pause before coming again to a monitor that somebody else is at, in seconds.
AGAIN_S = 0.3
_BUSY = "Another upload of this monitor is being counted."

# Arrays travel as one text each: the driver takes ten times longer to write real ones.
_KEEP = """
    INSERT INTO monitoring_scoredkey (monitor_id, key, window_id, score)
    SELECT %s, decode(row.key, 'hex'), row.window_id::bigint, row.score::float8
      FROM unnest(string_to_array(%s, ','), string_to_array(%s, ','), string_to_array(%s, ','))
        AS row (key, window_id, score)
    ON CONFLICT (monitor_id, key) DO NOTHING
    RETURNING key
"""
_LABEL = """
    WITH given AS (
        SELECT decode(row.key, 'hex') AS key, row.label::float8 AS label
          FROM unnest(string_to_array(%s, ','), string_to_array(%s, ',')) AS row (key, label)
    ), known AS (
        SELECT scored.id, given.label, scored.label IS DISTINCT FROM given.label AS is_new
          FROM monitoring_scoredkey scored JOIN given USING (key)
         WHERE scored.monitor_id = %s
    ), changed AS (
        UPDATE monitoring_scoredkey scored SET label = known.label
          FROM known WHERE scored.id = known.id AND known.is_new
        RETURNING scored.window_id
    )
    SELECT (SELECT count(*) FROM known),
           (SELECT coalesce(array_agg(DISTINCT window_id), '{}') FROM changed)
"""
_RECOUNT = """
    UPDATE monitoring_window w
       SET labelled = counted.labelled, is_dirty = true, updated_at = clock_timestamp()
      FROM (SELECT window_id, count(label) AS labelled FROM monitoring_scoredkey
             WHERE window_id = ANY(%s) GROUP BY window_id) AS counted
     WHERE w.id = counted.window_id
"""


def advance(*, ingest_uid: str, claim: Claim) -> Done | Continue:
    """Count the next rows of an upload, chunk by chunk; at the end evaluate what changed.

    Each chunk commits together with the job's cursor, so that a row counts once however often a
    worker is killed. The rows are deleted as soon as all are counted.

    Raises: LeaseLost, Fail (the rows are gone).
    """
    from monitoring.services import windows

    ingest = Ingest.objects.select_related("monitor__workspace").get(uid=ingest_uid)
    cursor = {"row": 0, "accepted": 0, **claim.job.cursor}
    try:
        if not cursor.get("counted"):
            for chunk in _chunks(ingest, after=cursor["row"]):
                cursor = _count_chunk(ingest, chunk, cursor, claim)
                if claim.remaining_s() < 20:
                    return Continue(cursor=cursor)
            cursor["counted"] = True
            claim.save(cursor=cursor, message="All rows are counted.")
        forget_rows(ingest)
        for window_id in windows.dirty(ingest.monitor):
            windows.evaluate(window_id=window_id, monitor_id=ingest.monitor_id)
            claim.save(progress=0.95, message="Comparing windows with the reference.")
            if claim.remaining_s() < 20:
                return Continue(cursor=cursor)
    except Busy:
        return Continue(cursor=cursor, after_s=AGAIN_S, message=_BUSY)
    _finish(ingest, cursor["accepted"], claim)
    return Done(
        {"rows": ingest.rows, "accepted": cursor["accepted"]},
        message=f"{cursor['accepted']:,} of {ingest.rows:,} rows counted.",
    )


def _chunks(ingest: Ingest, after: int) -> Iterator[pa.Table]:
    if not ingest.storage_name or not default_storage.exists(ingest.storage_name):
        raise Fail("The rows are gone; send them again.", code="rows_gone")
    with default_storage.open(ingest.storage_name, "rb") as file, pq.ParquetFile(file) as parquet:
        waiting: list[pa.RecordBatch] = []
        skip, held = after, 0
        for batch in parquet.iter_batches(batch_size=CHUNK_ROWS):
            if skip >= batch.num_rows:
                skip -= batch.num_rows
                continue
            part = batch.slice(skip)
            skip = 0
            waiting.append(part)
            held += part.num_rows
            if held >= CHUNK_ROWS:
                yield pa.Table.from_batches(waiting)
                waiting, held = [], 0
        if waiting:
            yield pa.Table.from_batches(waiting)


def _count_chunk(
    ingest: Ingest, chunk: pa.Table, cursor: dict[str, Any], claim: Claim
) -> dict[str, Any]:
    keys = _keys(chunk, bytes(ingest.monitor.id_key))
    with transaction.atomic():
        claim.insist_mine()
        monitor = hold(ingest.monitor_id)
        if ingest.what == Ingest.What.LABELS:
            accepted = _label(monitor, keys, chunk)
        else:
            accepted = _predict(monitor, keys, chunk)
        after = {
            "row": cursor["row"] + chunk.num_rows,
            "accepted": cursor["accepted"] + accepted,
        }
        claim.save(
            cursor=after,
            progress=0.9 * after["row"] / max(1, ingest.rows),
            message=f"{after['row']:,} of {ingest.rows:,} rows counted.",
        )
    return after


def _keys(chunk: pa.Table, secret: bytes) -> list[bytes]:
    """Keyed hashes of the ids: the same id meets its label, and cannot be read back."""
    return [
        hashlib.blake2b(text.encode(), key=secret, digest_size=16).digest()
        for text in chunk.column("id").to_pylist()
    ]


def _predict(monitor: Monitor, keys: list[bytes], chunk: pa.Table) -> int:
    """Keep the new keys and add their rows to the profiles; how many were new."""
    starts = calendar.starts(chunk.column("at").to_numpy(), monitor.window_kind)
    windows = _windows(monitor, np.unique(starts))
    first = {key: index for index, key in reversed(list(enumerate(keys)))}
    scores = chunk.column("score").to_numpy()
    # In the order of the keys, so that two writers could never wait for each other in a circle.
    ordered = sorted(first)
    places = [first[key] for key in ordered]
    with connection.cursor() as sql:
        sql.execute(
            _KEEP,
            [
                monitor.pk,
                _hex(ordered),
                _text(windows[start].pk for start in starts[places].tolist()),
                # repr() is the shortest text that reads back to the same float.
                _text(scores[places].tolist()),
            ],
        )
        fresh = np.array(sorted(first[bytes(row[0])] for row in sql.fetchall()), dtype=np.int64)
    by_window: dict[int, Any] = defaultdict(list)
    if fresh.size:
        fresh_starts = starts[fresh]
        order = np.argsort(fresh_starts, kind="stable")
        parts = np.split(fresh[order], np.flatnonzero(np.diff(fresh_starts[order])) + 1)
        by_window = {int(starts[part[0]]): part for part in parts}
    _add_profiles(monitor, windows, by_window, chunk)
    for start, part in by_window.items():
        window = windows[start]
        window.rows += len(part)
        window.is_dirty = True
        window.updated_at = timezone.now()
        window.save(update_fields=["rows", "is_dirty", "updated_at"])
    return int(fresh.size)


def _hex(keys: list[bytes]) -> str:
    return ",".join(map(bytes.hex, keys))


def _text(values: Iterable[float]) -> str:
    return ",".join(map(repr, values))


def _windows(monitor: Monitor, starts: Any) -> dict[int, Window]:
    begin = {int(start): calendar.from_us(int(start)) for start in starts}
    Window.objects.bulk_create(
        [
            Window(monitor=monitor, start=at, end=calendar.end_of(at, monitor.window_kind))
            for at in begin.values()
        ],
        ignore_conflicts=True,
    )
    found = Window.objects.filter(monitor=monitor, start__in=begin.values())
    return {calendar.to_us(window.start): window for window in found}


def _add_profiles(
    monitor: Monitor, windows: dict[int, Window], by_window: dict[int, Any], chunk: pa.Table
) -> None:
    specs = [(column, spec) for column, spec, _ in selectors.reference_columns(monitor)]
    policies = {column["name"]: column["policy"] for column in monitor.columns}
    stored = {
        (row.window_id, row.column_id): row
        for row in ColumnProfile.objects.filter(
            window__in=[windows[start].pk for start in by_window]
        )
    }
    rows = []
    for start, part in by_window.items():
        table = chunk.take(pa.array(part))
        for column, spec in specs:
            values = table.column(_plain_name(monitor, column)).combine_chunks()
            profile = columns.profile_of(values, spec, policy=policies[column.name])
            rows.append(_merged(windows[start], column, spec, profile, stored))
    ColumnProfile.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["window", "column"],
        update_fields=["counts", "facts"],
        batch_size=500,
    )


def _plain_name(monitor: Monitor, column: ReferenceColumn) -> str:
    return "score" if column.name == monitor.score_column else f"c{column.position}"


def _merged(
    window: Window,
    column: ReferenceColumn,
    spec: Spec,
    profile: Profile,
    stored: dict[tuple[int, int], ColumnProfile],
) -> ColumnProfile:
    before = stored.get((window.pk, column.pk))
    if before is not None:
        profile = columns.add(unpack_profile(spec, before.counts, before.facts), profile)
    return ColumnProfile(
        window=window, column=column, counts=pack_counts(profile), facts=profile.facts()
    )


def _label(monitor: Monitor, keys: list[bytes], chunk: pa.Table) -> int:
    """Put labels to their scores, one statement a chunk; how many met one. The last one wins."""
    labels = dict(zip(keys, chunk.column("label").to_pylist(), strict=True))
    ordered = sorted(labels)
    with connection.cursor() as sql:
        sql.execute(_LABEL, [_hex(ordered), _text(labels[key] for key in ordered), monitor.pk])
        known, touched = sql.fetchone()
        if touched:
            sql.execute(_RECOUNT, [touched])
    return int(known)


@transaction.atomic
def _finish(ingest: Ingest, accepted: int, claim: Claim) -> None:
    claim.insist_mine()
    Ingest.objects.filter(pk=ingest.pk).update(finished_at=timezone.now(), accepted=accepted)
