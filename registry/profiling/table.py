"""Reads an uploaded table in batches, refuses what is none, and profiles it (pure; no database).

Run in a process of its own (``registry.profiling.run``): what is uploaded may be made to make a
reader crash or eat memory.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from registry.profiling.columns import ColumnProfile, kind_of

MAX_ROWS = 5_000_000
MAX_COLUMNS = 1000
MAX_COLUMN_NAME = 255
#: Decompressed; a small file may hold much more than it weighs.
MAX_UNPACKED_BYTES = 8 * 1024**3
BATCH_ROWS = 65_536
PARQUET_MAGIC = b"PAR1"
_ROW_LENGTH = re.compile(r"Expected (\d+) columns, got (\d+)")


class Unreadable(Exception):
    """The upload is no table that we take; ``field`` names the input that is at fault."""

    def __init__(self, message: str, *, code: str, field: str = "file") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.field = field


@dataclass(frozen=True, slots=True)
class Roles:
    """Columns with a meaning; empty where there is none."""

    label: str = ""
    id: str = ""
    time: str = ""


def format_of(path: Path) -> str:
    """``parquet`` by its first bytes, else ``csv``: the file's name is only what somebody says."""
    with path.open("rb") as file:
        return "parquet" if file.read(4) == PARQUET_MAGIC else "csv"


def csv_to_parquet(path: Path, to: Path) -> None:
    """Read comma-separated UTF-8 text with a header line and write it as Parquet.

    Raises: Unreadable.
    """
    with path.open("rb") as file:
        if b"\x00" in file.read(4096):
            raise Unreadable(
                "This is neither Parquet nor text: it holds NUL bytes.", code="unreadable"
            )
    try:
        table = pa.csv.read_csv(
            path,
            convert_options=pa.csv.ConvertOptions(
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                timestamp_parsers=[pa.csv.ISO8601],
            ),
        )
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise Unreadable(f"Not readable as CSV: {_reason(error)}", code="unreadable_csv") from None
    binary = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if binary:
        raise Unreadable(f"The column “{shown(binary[0])}” is not UTF-8 text.", code="not_utf8")
    _insist_columns(table.schema)
    pq.write_table(table, to, compression="zstd")


def profile_parquet(path: Path, roles: Roles) -> dict[str, Any]:
    """``{"rows": n, "columns": [...]}`` of a Parquet file.

    Raises: Unreadable: broken, empty, too large, columns twice or of a nested type, or a label, id
        or time column that is none.
    """
    try:
        return _profile(path, roles)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise Unreadable(
            f"Not readable as Parquet: {_reason(error)}", code="unreadable_parquet"
        ) from None


def _profile(path: Path, roles: Roles) -> dict[str, Any]:
    with pq.ParquetFile(path) as file:
        metadata = file.metadata
        if metadata.num_rows > MAX_ROWS:
            raise Unreadable(
                f"A table has at most {MAX_ROWS:,} rows, this one {metadata.num_rows:,}.",
                code="too_many_rows",
            )
        unpacked = sum(
            metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)
        )
        if unpacked > MAX_UNPACKED_BYTES:
            raise Unreadable("The table is too large once unpacked.", code="too_large")
        schema = file.schema_arrow
        kinds = _insist_columns(schema)
        _insist_roles(kinds, roles)
        columns = [
            ColumnProfile(name, kind, counts_only=name == roles.id) for name, kind in kinds.items()
        ]
        rows = 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            batch.validate(full=True)
            rows += batch.num_rows
            if rows > MAX_ROWS:
                raise Unreadable(f"A table has at most {MAX_ROWS:,} rows.", code="too_many_rows")
            for column, values in zip(columns, batch.columns, strict=True):
                column.add(values)
        if not rows:
            raise Unreadable("The table has no rows.", code="empty_table")
        wide = [column for column in columns if column.wants_histogram]
        if wide:
            for batch in file.iter_batches(
                batch_size=BATCH_ROWS, columns=[column.name for column in wide]
            ):
                for column in wide:
                    column.add_to_histogram(batch.column(column.name))
        _insist_filled(columns, rows, roles)
        if roles.id:
            _insist_unique(file, roles.id)
    return {"rows": rows, "columns": [column.result() for column in columns]}


def _insist_columns(schema: pa.Schema) -> dict[str, str]:
    names = schema.names
    if not names:
        raise Unreadable("The table has no columns.", code="empty_table")
    if len(names) > MAX_COLUMNS:
        raise Unreadable(
            f"A table has at most {MAX_COLUMNS:,} columns, this one {len(names):,}.",
            code="too_many_columns",
        )
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise Unreadable(
            f"Columns stand twice: {', '.join(shown(name) for name in twice[:5])}.",
            code="duplicate_columns",
        )
    kinds = {}
    for field in schema:
        if not field.name.strip():
            raise Unreadable("A column has no name.", code="bad_column_name")
        if len(field.name) > MAX_COLUMN_NAME:
            raise Unreadable(
                f"A column's name has at most {MAX_COLUMN_NAME} characters: “{shown(field.name)}”.",
                code="bad_column_name",
            )
        if any(unicodedata.category(char) in ("Cc", "Cs") for char in field.name):
            raise Unreadable(
                f"A column's name holds control characters: “{shown(field.name)}”.",
                code="bad_column_name",
            )
        kind = kind_of(field.type)
        if kind is None:
            raise Unreadable(
                f"The column “{shown(field.name)}” is of type {str(field.type)[:60]}; a table "
                "holds numbers, booleans, text and times.",
                code="unsupported_type",
            )
        kinds[field.name] = kind
    return kinds


def _insist_roles(kinds: dict[str, str], roles: Roles) -> None:
    for field, name in (
        ("label_column", roles.label),
        ("id_column", roles.id),
        ("time_column", roles.time),
    ):
        if name and name not in kinds:
            present = ", ".join(shown(column) for column in list(kinds)[:10])
            raise Unreadable(
                f"There is no column “{shown(name)}”; there are {present}"
                + (" and more." if len(kinds) > 10 else "."),
                code="no_such_column",
                field=field,
            )
    if roles.time and kinds[roles.time] not in ("time", "integer"):
        raise Unreadable(
            f"The time column “{shown(roles.time)}” holds {kinds[roles.time]}, no times.",
            code="wrong_column_type",
            field="time_column",
        )
    if roles.label and kinds[roles.label] == "time":
        raise Unreadable(
            f"The label column “{shown(roles.label)}” holds times.",
            code="wrong_column_type",
            field="label_column",
        )
    if roles.id and kinds[roles.id] not in ("integer", "text"):
        raise Unreadable(
            f"The id column “{shown(roles.id)}” holds {kinds[roles.id]}; ids are text or integers.",
            code="wrong_column_type",
            field="id_column",
        )
    if roles.id and roles.id in (roles.label, roles.time):
        raise Unreadable("A column has one meaning only.", code="wrong_column", field="id_column")


def _insist_filled(columns: list[ColumnProfile], rows: int, roles: Roles) -> None:
    nulls = {column.name: column.nulls for column in columns}
    if roles.label and nulls[roles.label] == rows:
        raise Unreadable(
            f"The label column “{shown(roles.label)}” is empty in every row.",
            code="empty_label",
            field="label_column",
        )
    if roles.id and nulls[roles.id]:
        raise Unreadable(
            f"The id column “{shown(roles.id)}” is empty in {nulls[roles.id]:,} rows.",
            code="empty_ids",
            field="id_column",
        )


def _insist_unique(file: pq.ParquetFile, name: str) -> None:
    column = file.read(columns=[name]).column(0)
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    distinct = pc.count_distinct(column).as_py()
    if distinct != len(column):
        raise Unreadable(
            f"The id column “{shown(name)}” repeats: {len(column):,} rows, {distinct:,} ids.",
            code="duplicate_ids",
            field="id_column",
        )


def shown(name: str) -> str:
    """A column's name fit for a sentence."""
    clean = "".join(char if char.isprintable() else "�" for char in name)
    return clean if len(clean) <= 60 else clean[:60] + "…"


def _reason(error: Exception) -> str:
    """Arrow's first line without the cells and rows that it likes to quote."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if found := _ROW_LENGTH.search(text):
        return f"a line has {found[2]} columns where the first has {found[1]}."
    text = text.split(": '")[0].split(" '")[0]
    return "".join(char if char.isprintable() else "�" for char in text)[:200]
