"""Uploads: what is refused and how, what counts once, and that nothing personal stays."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from audit.actions import Action
from audit.models import Event
from common.errors import Invalid, NotAllowed
from jobs.errors import LeaseLost
from jobs.models import Job
from jobs.services.claim import claim_job
from jobs.services.run import run_until_idle
from monitoring.errors import KeyReused, RowsRefused, UploadTooLarge
from monitoring.models import ColumnProfile, Ingest, ScoredKey, Window
from monitoring.services import ingest
from monitoring.services.monitors import Meaning
from tests.factories import monitoring as make
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def monitor(workspace):
    return make.monitor(workspace)


def refused(monitor, columns=None, **options) -> RowsRefused:
    """The refusal of an upload, after which nothing has changed."""
    before = (Ingest.objects.count(), Job.objects.count(), len(recorded_actions()))
    with pytest.raises(RowsRefused) as caught:
        make.send(monitor, columns, **options)
    assert (Ingest.objects.count(), Job.objects.count(), len(recorded_actions())) == before
    return caught.value


@pytest.mark.parametrize("format", ["ndjson", "parquet"])
def test_rows_become_windows_and_are_gone(monitor, format):
    sent = make.rows(300)
    two_days = make.rows(100, seed=2, at=make.START + DAY)
    both = {name: sent[name] + two_days[name] for name in sent}
    body = make.ndjson(both) if format == "ndjson" else make.parquet(both)

    upload = make.send(monitor, both, fileobj=body, format=format)
    stored = upload.storage_name
    assert default_storage.exists(stored)
    run_until_idle(20)

    upload.refresh_from_db()
    assert (upload.rows, upload.accepted, upload.storage_name) == (400, 400, "")
    assert not default_storage.exists(stored)
    windows = list(monitor.windows.all())
    assert [(w.start, w.rows, w.revision) for w in windows] == [
        (make.START, 300, 1),
        (make.START + DAY, 100, 1),
    ]
    assert ScoredKey.objects.filter(window=windows[1]).count() == 100


def test_both_formats_are_counted_bit_for_bit_the_same(workspace):
    sent = make.rows(300)
    profiles = []
    for index, (format, body) in enumerate(
        [("ndjson", make.ndjson(sent)), ("parquet", make.parquet(sent))]
    ):
        monitor = make.monitor(workspace, name=f"monitor {index}")
        make.send(monitor, sent, fileobj=body, format=format)
        run_until_idle(20)
        rows = ColumnProfile.objects.filter(window__monitor=monitor).order_by("column__position")
        profiles.append([(bytes(row.counts), row.facts) for row in rows])
    assert profiles[0] == profiles[1]


def test_one_upload_or_many_give_the_same_profiles(workspace):
    whole = make.rows(200)
    halves = [{n: v[:77] for n, v in whole.items()}, {n: v[77:] for n, v in whole.items()}]
    found = []
    for parts in ([whole], halves, halves[::-1]):
        monitor = make.monitor(workspace)
        for part in parts:
            make.send(monitor, part)
        run_until_idle(20)
        rows = ColumnProfile.objects.filter(window__monitor=monitor).order_by("column__position")
        found.append([(bytes(row.counts), row.facts) for row in rows])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("format", ["ndjson", "parquet"])
@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("score", None, "missing"),
        ("flight_id", "", "characters"),
        ("flight_id", "x" * 201, "characters"),
        ("scheduled_at", "next tuesday", "no time"),
        ("scheduled_at", "1969-12-31T00:00:00Z", "before 1970"),
        ("scheduled_at", "2999-01-01T00:00:00Z", "future"),
    ],
)
def test_a_bad_row_refuses_all_of_them_and_is_named(monitor, format, column, value, says):
    sent = make.rows(20)
    if column == "scheduled_at":
        sent[column] = [at.isoformat() for at in sent[column]]
    sent[column][4] = value
    body = make.ndjson(sent) if format == "ndjson" else make.parquet(sent)

    error = refused(monitor, sent, fileobj=body, format=format)

    assert error.extra["rows"][0]["row"] == 5
    assert error.extra["rows"][0]["column"] == column
    assert says in error.extra["rows"][0]["problem"]
    if value:
        assert str(value)[:20] not in str(error.extra), "a value is never repeated"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_refused_in_parquet(monitor, value):
    sent = make.rows(20)
    sent["score"][0] = value
    error = refused(monitor, fileobj=make.parquet(sent), format="parquet")
    assert error.extra["rows"] == [{"row": 1, "column": "score", "problem": "is no finite number."}]


def test_at_most_ten_rows_are_named(monitor):
    sent = make.rows(50)
    sent["score"] = [None] * 50
    assert len(refused(monitor, sent).extra["rows"]) == 10


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "not JSON"),
        (b"[1]", "no JSON object"),
        (b'{"score": NaN}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"a": "' + b"x" * 1_100_000 + b'"}', "longer than 1 MB"),
    ],
)
def test_a_line_that_is_no_object_is_refused(monitor, line, problem):
    body = io.BytesIO(make.ndjson(make.rows(2)).getvalue() + b"\n" + line)
    error = refused(monitor, fileobj=body)
    assert error.extra["rows"][0]["row"] == 3
    assert problem in error.extra["rows"][0]["problem"]


def test_values_of_the_wrong_kind_are_refused(monitor):
    for column, value in (
        ("temp", "warm"),
        ("temp", 10**400),
        ("carrier", 7),
        ("score", True),
        ("flight_id", 1.5),
        ("flight_id", 2**70),
        ("scheduled_at", 1364774400),
        ("carrier", "\ud800"),
    ):
        sent = make.rows(3)
        sent[column][1] = value
        error = refused(monitor, sent)
        assert (error.extra["rows"][0]["row"], error.extra["rows"][0]["column"]) == (2, column)


@pytest.mark.parametrize("format", ["ndjson", "parquet"])
def test_missing_and_unknown_columns_are_named(monitor, format):
    sent = make.rows(5)
    sent["passport"] = sent.pop("temp")
    body = make.ndjson(sent) if format == "ndjson" else make.parquet(sent)
    error = refused(monitor, fileobj=body, format=format)
    assert error.fields == {
        "temp": ["This column is missing."],
        "passport": ["This monitor has no such column."],
    }


def test_a_column_of_the_wrong_type_is_named(monitor):
    sent = make.rows(5)
    sent["temp"] = [str(value) for value in sent["temp"]]
    error = refused(monitor, fileobj=make.parquet(sent), format="parquet")
    assert list(error.fields) == ["temp"]
    assert "not numbers" in error.fields["temp"][0]


@pytest.mark.parametrize(
    ("body", "format", "code"),
    [
        (b"", "ndjson", "empty_body"),
        (b"\n\n", "ndjson", "no_rows"),
        (b"PAR1 and then nothing", "parquet", "unreadable_parquet"),
        (b"not parquet at all", "parquet", "unreadable_parquet"),
    ],
)
def test_what_cannot_be_read_is_refused(monitor, body, format, code):
    assert refused(monitor, fileobj=io.BytesIO(body), format=format).code == code


def test_too_many_bytes_rows_and_windows(monitor, monkeypatch):
    monkeypatch.setattr(ingest, "MAX_BYTES", 1000)
    with pytest.raises(UploadTooLarge):
        make.send(monitor, make.rows(100))
    monkeypatch.undo()
    monkeypatch.setattr("monitoring.intake.lines.MAX_ROWS", 3)
    assert refused(monitor, make.rows(4)).code == "too_many_rows"
    monkeypatch.undo()
    spread = make.rows(401)
    spread["scheduled_at"] = [make.START + timedelta(days=i) for i in range(401)]
    assert refused(monitor, spread).code == "too_many_windows"


def test_null_features_are_fine(monitor):
    sent = make.rows(30)
    sent["temp"][3] = sent["carrier"][4] = None
    make.send(monitor, sent)
    run_until_idle(20)
    facts = ColumnProfile.objects.get(column__name="temp").facts
    assert (facts["rows"], facts["nulls"]) == (30, 1)


def test_the_same_bytes_count_once(monitor, workspace):
    sent = make.rows(50)
    first = make.send(monitor, sent)
    again, replayed = ingest.receive(
        caller=make.system(workspace),
        monitor=monitor,
        what="predictions",
        fileobj=make.ndjson(sent),
        format="ndjson",
    )
    assert (again.pk, replayed) == (first.pk, True)
    run_until_idle(20)
    assert monitor.windows.get().rows == 50
    assert Ingest.objects.count() == 1


def test_a_key_names_one_upload(monitor):
    sent = make.rows(10)
    first = make.send(monitor, sent, idempotency_key="batch-7")
    assert make.send(monitor, sent, idempotency_key="batch-7").pk == first.pk
    with pytest.raises(KeyReused):
        make.send(monitor, make.rows(10, seed=9), idempotency_key="batch-7")
    with pytest.raises(Invalid):
        make.send(monitor, sent, idempotency_key="ä" * 5)


def test_a_repeated_id_counts_once_within_and_across_uploads(monitor):
    sent = make.rows(40)
    sent["flight_id"][1] = sent["flight_id"][0]
    upload = make.send(monitor, sent)
    run_until_idle(20)
    upload.refresh_from_db()
    assert (upload.rows, upload.accepted) == (40, 39)

    sent["score"][2] = 0.123
    again = make.send(monitor, sent)
    run_until_idle(20)
    again.refresh_from_db()
    assert again.accepted == 0
    window = monitor.windows.get()
    assert (window.rows, window.revision) == (39, 1)


def test_late_rows_make_a_new_revision_and_keep_the_old(monitor):
    make.send(monitor, make.rows(50))
    run_until_idle(20)
    make.send(monitor, make.rows(50, seed=2))
    run_until_idle(20)
    window = monitor.windows.get()
    assert (window.rows, window.revision) == (100, 2)
    assert sorted(window.drift.values_list("revision", flat=True).distinct()) == [1, 2]


def test_labels_meet_their_predictions_and_reopen_the_window(monitor):
    sent = make.rows(400)
    make.send(monitor, sent)
    run_until_idle(20)
    before = monitor.windows.get().performance.get()
    assert before.realised == {}

    upload = make.send(monitor, make.labels(sent), what="labels")
    run_until_idle(20)

    upload.refresh_from_db()
    window = monitor.windows.get()
    assert (upload.accepted, window.labelled, window.revision) == (400, 400, 2)
    found = window.performance.get(revision=2)
    assert found.realised["auc"]["lower95"] < found.realised["auc"]["value"]
    assert found.labelled == 400
    assert window.performance.get(revision=1).realised == {}


def test_labels_under_common_names_as_parquet_and_as_booleans(monitor):
    sent = make.rows(30)
    make.send(monitor, sent)
    late = make.labels(sent)
    columns = {"id": late["flight_id"], "label": [bool(v) for v in late["late"]]}
    make.send(monitor, columns, what="labels", fileobj=make.parquet(columns), format="parquet")
    run_until_idle(20)
    assert monitor.windows.get().labelled == 30


@pytest.mark.parametrize("value", [2, -1, 0.5, None, "yes"])
def test_a_label_that_is_none_is_refused(monitor, value):
    columns = {"flight_id": ["a", "b"], "late": [1, value]}
    error = refused(monitor, columns, what="labels")
    assert (error.extra["rows"][0]["row"], error.extra["rows"][0]["column"]) == (2, "late")


def test_labels_that_came_too_early_may_be_sent_again(monitor, workspace):
    sent = make.rows(20)
    upload = make.send(monitor, make.labels(sent), what="labels")
    run_until_idle(20)
    upload.refresh_from_db()
    assert upload.accepted == 0
    make.send(monitor, sent)
    run_until_idle(20)

    again = make.send(monitor, make.labels(sent), what="labels")
    run_until_idle(20)

    again.refresh_from_db()
    assert (again.pk, again.accepted) == (upload.pk, 20)
    same, replayed = ingest.receive(
        caller=make.system(workspace),
        monitor=monitor,
        what="labels",
        fileobj=make.ndjson(make.labels(sent)),
        format="ndjson",
    )
    assert (same.pk, replayed) == (upload.pk, True)


def test_a_corrected_label_replaces_the_first_and_an_equal_one_changes_nothing(monitor):
    sent = make.rows(20)
    make.send(monitor, sent)
    late = make.labels(sent)
    make.send(monitor, late, what="labels")
    run_until_idle(20)
    revision = monitor.windows.get().revision
    reordered = {name: values[::-1] for name, values in late.items()}
    make.send(monitor, reordered, what="labels")
    run_until_idle(20)
    assert monitor.windows.get().revision == revision
    make.send(
        monitor, {"flight_id": late["flight_id"][:1], "late": [1 - late["late"][0]]}, what="labels"
    )
    run_until_idle(20)
    window = monitor.windows.get()
    assert (window.revision, window.labelled) == (revision + 1, 20)


def test_a_monitor_without_labels_takes_none(workspace):
    monitor = make.monitor(
        workspace, meaning=Meaning(id="flight_id", time="scheduled_at", score="score")
    )
    assert "late" in {column["name"] for column in monitor.columns}
    with pytest.raises(Invalid, match="no label column"):
        make.send(monitor, {"flight_id": ["a"], "late": [1]}, what="labels")


def test_a_viewer_sends_nothing(monitor, caller_for):
    with pytest.raises(NotAllowed):
        make.send(monitor, make.rows(5), caller=caller_for("viewer"))
    assert Ingest.objects.count() == 0


def test_every_upload_is_an_event(monitor):
    sent = make.rows(5)
    make.send(monitor, sent)
    make.send(monitor, make.labels(sent), what="labels")
    assert recorded_actions()[-2:] == [Action.PREDICTIONS_RECEIVED, Action.LABELS_RECEIVED]


# exactly once


def test_a_worker_that_lost_its_lease_counts_nothing(monitor):
    from monitoring.services import count

    upload = make.send(monitor, make.rows(30))
    claim = claim_job(upload.job.uid)
    Job.objects.filter(pk=upload.job.pk).update(fence=claim.fence + 1)
    with pytest.raises(LeaseLost):
        count.advance(ingest_uid=str(upload.uid), claim=claim)
    assert ScoredKey.objects.count() == 0
    assert Window.objects.filter(rows__gt=0).count() == 0


@pytest.mark.parametrize("dies_after", [1, 2, 3])
def test_a_killed_worker_goes_on_where_it_was_and_counts_nothing_twice(
    monitor, monkeypatch, dies_after
):
    from monitoring.services import count

    class Killed(BaseException):
        pass

    monkeypatch.setattr(count, "CHUNK_ROWS", 10)
    whole = count._count_chunk
    calls = []

    def dying(*args):
        result = whole(*args)
        calls.append(1)
        if len(calls) == dies_after:
            raise Killed
        return result

    monkeypatch.setattr(count, "_count_chunk", dying)
    upload = make.send(monitor, make.rows(30))
    claim = claim_job(upload.job.uid)
    with pytest.raises(Killed):
        count.advance(ingest_uid=str(upload.uid), claim=claim)
    Job.objects.filter(pk=upload.job.pk).update(state="queued", lease_until=None)

    run_until_idle(20)

    upload.refresh_from_db()
    assert (upload.accepted, monitor.windows.get().rows) == (30, 30)
    assert ColumnProfile.objects.get(column__name="temp").facts["rows"] == 30


def test_rows_of_a_job_that_ended_are_swept_and_may_be_sent_again(monitor):
    sent = make.rows(20)
    upload = make.send(monitor, sent)
    stored = upload.storage_name
    assert default_storage.exists(stored)
    Job.objects.filter(pk=upload.job.pk).update(state="cancelled", finished_at=timezone.now())

    assert ingest.sweep() == 1
    assert ingest.sweep() == 0

    assert not default_storage.exists(stored)
    upload.refresh_from_db()
    assert ingest.state_of(upload) == "failed"
    again = make.send(monitor, sent)
    run_until_idle(20)
    again.refresh_from_db()
    assert (again.pk, again.accepted) == (upload.pk, 20)


# privacy

CANARIES = ("Zacharias", "canary-id-", "zacharias@canary.example", "4417123456789113")


def test_no_value_that_names_a_person_stays_anywhere(workspace):
    """Ids, free text, rare categories and card-like numbers: looked for in every table."""
    notes = [
        f"Passenger Zacharias wrote from zacharias@canary.example, no {i}" for i in range(3000)
    ]
    cards = [4417123456789113 + i for i in range(3000)]
    cities = ["NYC"] * 2999 + ["Zacharias Springs"]
    dataset = make.reference(workspace, note=notes, card=cards, city=cities)
    dataset.columns = [
        {k: c[k] for k in ("name", "type", "nulls", "distinct")} for c in dataset.columns
    ]
    monitor = make.monitor(workspace, dataset=dataset)
    policies = {column["name"]: column["policy"] for column in monitor.columns}
    assert (policies["note"], policies["card"], policies["city"]) == ("count", "count", "keep")

    sent = make.rows(200, prefix="canary-id-")
    sent |= {"note": notes[:200], "card": cards[:200], "city": ["Zacharias Springs"] * 200}
    make.send(monitor, sent)
    make.send(monitor, make.labels(sent), what="labels")
    bad = {**sent, "score": ["canary-id-score"] * 200}
    with pytest.raises(RowsRefused):
        make.send(monitor, bad)
    run_until_idle(30)
    assert monitor.windows.get().labelled == 200

    found = {name: hits for name, hits in _search(CANARIES).items() if hits}
    assert found == {}


def _search(needles: tuple[str, ...]) -> dict[str, list[str]]:
    """Every row of every table as text, byte columns decompressed where they are ours."""
    import zlib

    hits = {}
    with connection.cursor() as sql:
        for table in connection.introspection.table_names(sql):
            sql.execute(f'SELECT t::text FROM "{table}" t')
            text = "\n".join(row[0] for row in sql.fetchall())
            hits[table] = [needle for needle in needles if needle in text]
        for table, column in (
            ("monitoring_referencecolumn", "spec"),
            ("monitoring_referencecolumn", "counts"),
            ("monitoring_columnprofile", "counts"),
        ):
            sql.execute(f'SELECT "{column}" FROM "{table}"')
            raw = b"\n".join(zlib.decompress(bytes(row[0])[1:]) for row in sql.fetchall())
            hits[f"{table}.{column}"] = [n for n in needles if n.encode() in raw]
    return hits


def test_refusals_are_recorded_by_the_edge_without_values(monitor, workspace):
    bad = make.rows(3)
    bad["score"][1] = "canary"
    with (
        pytest.raises(RowsRefused),
        ingest.refusals_recorded(caller=make.system(workspace), monitor=monitor),
    ):
        make.send(monitor, bad)
    event = Event.objects.latest("pk")
    assert event.action == Action.PREDICTIONS_REFUSED
    body = json.loads(event.body)
    assert body["details"]["rows"] == [{"row": 2, "column": "score", "problem": "is no number."}]
    assert "canary" not in event.body


def test_windows_begin_where_the_calendar_says():
    from monitoring import calendar

    at = datetime(2013, 12, 31, 23, 59, tzinfo=UTC)
    starts = {kind: calendar.start_of(at, kind) for kind in ("day", "week", "month")}
    assert starts == {
        "day": datetime(2013, 12, 31, tzinfo=UTC),
        "week": datetime(2013, 12, 30, tzinfo=UTC),  # a Monday
        "month": datetime(2013, 12, 1, tzinfo=UTC),
    }
    assert calendar.end_of(starts["month"], "month") == datetime(2014, 1, 1, tzinfo=UTC)
    assert calendar.label(starts["week"], "week") == "the week of 30 December 2013"
