import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from audit.actions import Action
from audit.models import Event
from common.errors import AlreadyExists, Conflict, Invalid, NotAllowed
from jobs.models import Job
from jobs.services.run import run_until_idle
from registry import selectors
from registry.errors import DatasetRefused, DatasetTooLarge
from registry.models import Dataset
from registry.profiling import columns, run
from registry.services import datasets
from tests.factories.registry import DatasetFactory

pytestmark = pytest.mark.django_db

TABLE = pa.table(
    {
        "id": [f"r{n}" for n in range(30)],
        "x": [float(n) for n in range(30)],
        "group": ["a", "b", "c"] * 10,
        "late": [n % 2 == 0 for n in range(30)],
    }
)


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    """Files of a test lie in its own folder."""
    storages = {**settings.STORAGES}
    storages["default"] = {**storages["default"], "OPTIONS": {"location": tmp_path / "storage"}}
    settings.STORAGES = storages
    return tmp_path / "storage"


@pytest.fixture
def caller(caller_for):
    return caller_for("model_owner")


def parquet(table=TABLE, **options):
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    out.seek(0)
    return out


def upload(caller, file, name="flights", **fields):
    with datasets.refusals_recorded(caller=caller, name=name):
        return datasets.upload(caller=caller, name=name, fileobj=file, filename="f", **fields)


def test_parquet_is_stored_by_its_digest_and_read_back(caller, recorded_actions):
    dataset = upload(caller, parquet(), label_column="late", id_column="id")

    assert dataset.storage_name == datasets.storage_name(dataset.digest) == dataset.table_name
    assert default_storage.exists(dataset.storage_name)
    assert (dataset.state, dataset.rows, dataset.format) == ("ready", 30, "parquet")
    assert datasets.read_table(dataset).equals(TABLE)
    assert recorded_actions() == [Action.DATASET_UPLOADED]


def test_csv_is_stored_as_it_came_and_as_parquet(caller):
    raw = b'id,x,day,note\r\n1,0.5,2024-01-01,"a, b"\r\n2,,2024-01-02,\r\n'

    dataset = upload(caller, io.BytesIO(raw), id_column="id", time_column="day")

    with default_storage.open(dataset.storage_name) as file:
        assert file.read() == raw
    assert dataset.table_name != dataset.storage_name
    types = {column["name"]: column["type"] for column in dataset.columns}
    assert types == {"id": "integer", "x": "number", "day": "time", "note": "text"}
    assert datasets.read_table(dataset, ["x"]).to_pydict() == {"x": [0.5, None]}


def test_batches_have_equal_sizes_whatever_the_row_groups(caller):
    dataset = upload(caller, parquet(row_group_size=4))

    batches = list(datasets.read_batches(dataset, ["x"], batch_rows=7))

    assert [batch.num_rows for batch in batches] == [7, 7, 7, 7, 2]
    assert [x for batch in batches for x in batch.column("x").to_pylist()] == list(range(30))


def test_a_column_that_is_not_there_is_said(caller):
    dataset = upload(caller, parquet())

    with pytest.raises(Invalid, match="no column “nope”"):
        datasets.read_table(dataset, ["x", "nope"])
    with pytest.raises(Invalid):
        next(datasets.read_batches(dataset, ["nope"]))


def test_a_stored_file_that_was_changed_is_not_read(caller, storage):
    dataset = upload(caller, parquet())
    path = storage / dataset.table_name
    path.chmod(0o600)
    path.write_bytes(parquet(TABLE.slice(1)).getvalue())

    with pytest.raises(DatasetRefused, match="not the one that was uploaded"):
        datasets.read_table(dataset)


def broken_page():
    raw = bytearray(parquet().getvalue())
    raw[20:60] = b"\xff" * 40
    return bytes(raw)


BAD = {
    "empty file": (b"", {}, "empty_file", "file"),
    "binary": (b"\x80\x04\x95\x00\x00\x00", {}, "unreadable", "file"),
    "no parquet after the magic": (b"PAR1" + b"x" * 100, {}, "unreadable_parquet", "file"),
    "cut parquet": (parquet().getvalue()[:-50], {}, "unreadable_parquet", "file"),
    "broken page": (broken_page(), {}, "unreadable_parquet", "file"),
    "header only": (b"a,b\n", {}, "empty_table", "file"),
    "no rows": (parquet(TABLE.slice(0, 0)).getvalue(), {}, "empty_table", "file"),
    "duplicate columns": (b"a,a\n1,2\n", {}, "duplicate_columns", "file"),
    "duplicate parquet columns": (
        parquet(pa.Table.from_arrays([pa.array([1])] * 2, ["a", "a"])).getvalue(),
        {},
        "duplicate_columns",
        "file",
    ),
    "ragged": (b"a,b\n1,2\n3\n", {}, "unreadable_csv", "file"),
    "not utf-8": ("a,b\nä,1\n".encode("latin-1"), {}, "not_utf8", "file"),
    "nested": (parquet(pa.table({"a": [[1, 2]]})).getvalue(), {}, "unsupported_type", "file"),
    "bytes": (parquet(pa.table({"a": [b"x"]})).getvalue(), {}, "unsupported_type", "file"),
    "nameless column": (b"a,\n1,2\n", {}, "bad_column_name", "file"),
    "long column name": (b"a," + b"x" * 300 + b"\n1,2\n", {}, "bad_column_name", "file"),
    "control characters": (b"a,\x1b[31m\n1,2\n", {}, "bad_column_name", "file"),
    "wide": (
        parquet(pa.table({f"c{n}": [1] for n in range(1001)})).getvalue(),
        {},
        "too_many_columns",
        "file",
    ),
    "no label": (b"a,b\n1,2\n", {"label_column": "y"}, "no_such_column", "label_column"),
    "empty label": (b"a,y\n1,\n2,\n", {"label_column": "y"}, "empty_label", "label_column"),
    "no id": (b"a,b\n1,2\n", {"id_column": "id"}, "no_such_column", "id_column"),
    "ids twice": (b"id,b\n1,2\n1,3\n", {"id_column": "id"}, "duplicate_ids", "id_column"),
    "missing ids": (b"id,b\nx,2\n,3\n", {"id_column": "id"}, "empty_ids", "id_column"),
    "ids with fractions": (b"id\n0.5\n", {"id_column": "id"}, "wrong_column_type", "id_column"),
    "no times": (b"t\nx\n", {"time_column": "t"}, "wrong_column_type", "time_column"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_table_is_refused_for_cause(caller, case, recorded_actions):
    raw, fields, code, field = BAD[case]
    with pytest.raises(DatasetRefused) as refusal:
        upload(caller, io.BytesIO(raw), **fields)

    assert refusal.value.code == code
    if field != "file" or code != "empty_file":
        assert field in refusal.value.fields
    assert len(refusal.value.message) < 400
    assert not Dataset.objects.exists()
    assert recorded_actions() == [Action.DATASET_REFUSED]


def test_a_refusal_quotes_no_cell(caller):
    raw = b"name,age\nada,36\nSECRET,not,a,row\n"

    with pytest.raises(DatasetRefused) as refusal:
        upload(caller, io.BytesIO(raw))

    assert "SECRET" not in refusal.value.message
    assert "SECRET" not in Event.objects.get().body


def test_a_file_over_the_cap_is_not_read_to_its_end(caller, monkeypatch):
    monkeypatch.setattr(datasets, "MAX_BYTES", 3_000_000)

    class Endless(io.RawIOBase):
        read_so_far = 0

        def read(self, size=-1):
            self.read_so_far += size
            return b"x" * size

    file = Endless()
    with pytest.raises(DatasetTooLarge):
        upload(caller, file)

    assert file.read_so_far < 5_000_000
    assert not Dataset.objects.exists()


@pytest.mark.parametrize("name", ["../../etc/passwd", "x" * 10_000_000, "a\x00b", ""])
def test_a_name_that_is_none_is_refused_before_a_byte_is_read(caller, name):
    with pytest.raises(Invalid) as refusal:
        upload(caller, None, name=name)

    assert "name" in refusal.value.fields


def test_a_name_is_taken_once(caller, workspace):
    DatasetFactory(workspace=workspace, name="flights")

    with pytest.raises(AlreadyExists):
        upload(caller, parquet())


def test_a_viewer_uploads_nothing(caller_for):
    with pytest.raises(NotAllowed):
        upload(caller_for("viewer"), parquet())


def test_a_reader_that_dies_or_dawdles_is_a_refusal(caller, monkeypatch):
    monkeypatch.setattr(run, "MEMORY_BYTES", 40 * 1024**2)
    with pytest.raises(DatasetRefused) as died:
        upload(caller, parquet())
    monkeypatch.undo()
    monkeypatch.setattr(datasets, "INLINE_SECONDS", 0.001)
    with pytest.raises(DatasetRefused) as slow:
        upload(caller, parquet())

    assert (died.value.code, slow.value.code) == ("unreadable", "too_slow")
    assert not Dataset.objects.exists()


def test_a_big_table_is_read_by_a_job(caller, monkeypatch, recorded_actions):
    monkeypatch.setattr(datasets, "INLINE_BYTES", 10)
    dataset = upload(caller, parquet(), label_column="late")
    assert dataset.state == Dataset.State.PROFILING
    with pytest.raises(Conflict):
        datasets.read_table(dataset)

    run_until_idle(max_s=30)

    dataset.refresh_from_db()
    assert (dataset.state, dataset.rows) == ("ready", 30)
    assert datasets.read_table(dataset).equals(TABLE)
    assert Job.objects.get().state == Job.State.SUCCEEDED
    assert recorded_actions() == [Action.DATASET_UPLOADED, Action.DATASET_PROFILED]


def test_a_big_table_that_is_none_says_so(caller, monkeypatch, recorded_actions):
    monkeypatch.setattr(datasets, "INLINE_BYTES", 10)
    dataset = upload(caller, io.BytesIO(b"a,a\n1,2\n3,4\n"))

    run_until_idle(max_s=30)

    dataset.refresh_from_db()
    assert (dataset.state, dataset.rows, dataset.columns) == ("failed", 0, [])
    assert "twice" in dataset.state_reason
    assert Job.objects.get().state == Job.State.FAILED
    assert Action.DATASET_REFUSED in recorded_actions()


def test_the_database_keeps_a_datasets_content():
    dataset = DatasetFactory()
    rows = Dataset.objects.filter(pk=dataset.pk)

    for change in (
        {"digest": "x"},
        {"rows": 2},
        {"columns": []},
        {"table_name": "x"},
        {"label_column": "y"},
        {"state": "failed"},
    ):
        with pytest.raises(IntegrityError, match="does not change"), transaction.atomic():
            rows.update(**change)
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        rows._raw_delete("default")
    rows.update(description="Another.")


def test_the_profile_says_what_a_reference_says(caller):
    table = pa.table({"x": [1.0, 2.0, 4.0, None, float("nan"), float("inf"), -3.0]})

    column = upload(caller, parquet(table)).columns[0]

    # By hand: 1, 2, 4, -3 have mean 1 and sum of squares around it 26, so variance 26/3.
    assert column["mean"] == pytest.approx(1.0)
    assert column["std"] == pytest.approx((26 / 3) ** 0.5)
    assert (column["nulls"], column["infinite"]) == (2, 1)
    assert sum(column["histogram"]["counts"]) == 4


def test_nearly_unique_text_and_rare_values_are_not_kept(caller):
    table = pa.table(
        {
            "name": [f"person {n}" for n in range(40)],
            "town": ["Ulm"] * 37 + ["Bonn", "Köln", "Trier"],
        }
    )

    name, town = upload(caller, parquet(table)).columns

    assert "top" not in name
    assert name["length"] == {"min": 8, "max": 9, "mean": 8.8}
    assert town["top"] == [["Ulm", 37]]
    assert town["other"] == 3
    assert "person" not in json.dumps([{**name, "name": ""}])


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        (1234.5, 1230, 1240),
        (-1234.5, -1240, -1230),
        (0.7, 0.7, 0.7),
        (0, 0, 0),
        (999.9, 999, 1000),
        (1e-9, 1e-9, 1e-9),
        (123456, 123000, 124000),
    ],
)
def test_ends_are_rounded_outwards(value, low, high):
    assert columns.outwards(value, down=True) == pytest.approx(low, rel=1e-12)
    assert columns.outwards(value, down=False) == pytest.approx(high, rel=1e-12)


def test_no_dataset_of_another_workspace_is_found(workspace):
    other = DatasetFactory()

    with pytest.raises(Invalid):
        selectors.get_dataset(workspace, other.name, field="datasets")


def test_the_reader_runs_without_our_settings_and_secrets():
    source = Path(run.__file__).read_text() + Path(columns.__file__).read_text()

    assert "django" not in source
    assert "os.environ" not in source
