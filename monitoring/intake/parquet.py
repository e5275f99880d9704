"""Parquet: checked column by column; run in a process of its own (``monitoring.intake.run``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from monitoring.intake.lines import ARROW, parse_time
from monitoring.intake.shape import (
    ID,
    LABEL,
    MAX_ID,
    MAX_ROWS,
    MAX_UNPACKED_BYTES,
    NUMBER,
    SCORE,
    SHOWN,
    TIME,
    BadRows,
    Column,
    Shape,
    bad_rows,
)

BATCH_ROWS = 16_384
Found = list[tuple[int, str, str]]


def read_parquet(path: Path, shape: Shape) -> pa.Table:
    """The plain table of a Parquet upload.

    Raises: BadRows.
    """
    try:
        return _read(path, shape)
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        raise BadRows("Not readable as Parquet.", code="unreadable_parquet") from None


def _read(path: Path, shape: Shape) -> pa.Table:
    with pq.ParquetFile(path) as file:
        metadata = file.metadata
        if metadata.num_rows > MAX_ROWS:
            raise BadRows(f"An upload has at most {MAX_ROWS:,} rows.", code="too_many_rows")
        groups = range(metadata.num_row_groups)
        if sum(metadata.row_group(i).total_byte_size for i in groups) > MAX_UNPACKED_BYTES:
            raise BadRows("The table is too large once unpacked.", code="too_large")
        schema = file.schema_arrow
        shape.insist_names(schema.names)
        _insist_types(schema, shape)
        batches: list[pa.RecordBatch] = []
        found: Found = []
        rows = size = 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            batch.validate(full=True)
            batches.append(_plain(batch, shape, rows, found))
            rows += batch.num_rows
            size += batches[-1].nbytes
            if rows > MAX_ROWS or size > MAX_UNPACKED_BYTES:
                raise BadRows("The table is too large once unpacked.", code="too_large")
            if len(found) >= SHOWN:
                raise bad_rows(found, more=True)
    if found:
        raise bad_rows(found, more=False)
    if not rows:
        raise BadRows("There are no rows.", code="no_rows")
    return pa.Table.from_batches(batches)


def _insist_types(schema: pa.Schema, shape: Shape) -> None:
    errors = {}
    for column in shape.columns:
        kind = _inner(schema.field(column.name).type)
        if not _fits(kind, column.holds):
            wanted = {ID: "text or integers", TIME: "times", LABEL: "0 and 1", "text": "text"}
            errors[column.name] = [
                f"Holds {str(kind)[:40]}, not {wanted.get(column.holds, 'numbers')}."
            ]
    if errors:
        name, (reason,) = next(iter(errors.items()))
        raise BadRows(f"The column “{name}” is of the wrong type: {reason}", errors=errors)


def _fits(kind: pa.DataType, holds: str) -> bool:
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if holds == ID:
        return is_text or pa.types.is_integer(kind)
    if holds == TIME:
        return is_text or pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    if holds == SCORE:
        return is_number
    if holds in (LABEL, NUMBER):
        return is_number or pa.types.is_boolean(kind) or pa.types.is_null(kind)
    return is_text or pa.types.is_boolean(kind) or pa.types.is_null(kind)


def _plain(batch: pa.RecordBatch, shape: Shape, before: int, found: Found) -> pa.RecordBatch:
    arrays = {}
    for column in shape.columns:
        values = batch.column(column.name)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if not column.nullable:
            _note(pc.is_null(values), column, "is missing.", before, found)
        arrays[column.plain] = _converted(values, column, shape, before, found)
    return pa.RecordBatch.from_pydict(arrays)


def _converted(
    values: pa.Array, column: Column, shape: Shape, before: int, found: Found
) -> pa.Array:
    if column.holds == ID:
        text = values.cast(pa.string())
        length = pc.utf8_length(text)
        bad = pc.or_(pc.less(length, 1), pc.greater(length, MAX_ID))
        _note(bad, column, f"has not 1 to {MAX_ID} characters.", before, found)
        return text
    if column.holds == TIME:
        return _times(values, column, shape, before, found)
    if column.holds == "text":
        if pa.types.is_boolean(values.type):
            return pc.if_else(values, "true", "false").cast(pa.string())
        return values.cast(pa.string())
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    numbers = values.cast(pa.float64(), safe=False)
    if column.holds == SCORE:
        _note(pc.invert(pc.is_finite(numbers)), column, "is no finite number.", before, found)
    if column.holds == LABEL:
        known = pc.is_in(numbers, value_set=pa.array([0.0, 1.0]))
        _note(
            pc.and_(pc.invert(known), pc.is_valid(numbers)),
            column,
            "is neither 0 nor 1.",
            before,
            found,
        )
    return numbers


def _times(values: pa.Array, column: Column, shape: Shape, before: int, found: Found) -> pa.Array:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return _text_times(values, column, shape, before, found)
    # Arrow keeps instants in UTC; without a zone they are taken as UTC.
    stamps = (
        values.cast(pa.timestamp("us"), safe=False)
        if pa.types.is_date(values.type)
        else (values.cast(pa.timestamp("us", tz=values.type.tz), safe=False))
    )
    numbers = stamps.cast(pa.int64())
    _note(pc.less(numbers, 0), column, "lies before 1970.", before, found)
    latest = int(shape.latest * 1_000_000)
    _note(pc.greater(numbers, latest), column, "lies in the future.", before, found)
    return numbers


def _text_times(
    values: pa.Array, column: Column, shape: Shape, before: int, found: Found
) -> pa.Array:
    parsed: list[int | None] = []
    for index, text in enumerate(values.to_pylist()):
        stamp = None
        if text is not None and len(found) < SHOWN:
            try:
                stamp = parse_time(text, shape.latest)
            except ValueError as error:
                found.append((before + index + 1, column.name, str(error)))
        parsed.append(stamp)
    return pa.array(parsed, type=ARROW[TIME])


def _note(bad: pa.Array, column: Column, problem: str, before: int, found: Found) -> None:
    marked = np.flatnonzero(pc.fill_null(bad, fill_value=False).to_numpy(zero_copy_only=False))
    found += [(before + int(i) + 1, column.name, problem) for i in marked[:SHOWN]]


def _inner(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
