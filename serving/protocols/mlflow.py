"""MLflow's scoring server: ``POST /invocations`` with a data frame, split (SERVING 1.4)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from common.errors import Invalid
from serving.errors import EndpointRejected, EndpointUnavailable

_ERROR_CODE = re.compile(r"[A-Z][A-Z_]{2,60}\Z")


class MLflow:
    """The scoring protocol of MLflow 2 and 3, SageMaker containers and Databricks serving."""

    content_type = "application/json"

    def url(self, given: str) -> str:
        parts = urlsplit(given)
        return urlunsplit(parts._replace(path="/invocations")) if parts.path in ("", "/") else given

    def encode(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
        data = [[_cell(row, column) for column in columns] for row in rows]
        body = {"dataframe_split": {"columns": list(columns), "data": data}}
        return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()

    def insist_ok(self, status: int, body: bytes) -> None:
        if status == 200:
            return
        said = f" ({code})" if (code := _error_code(body)) else ""
        if 300 <= status < 400:
            raise EndpointRejected(
                f"It answered {status}, a redirect, which is never followed.", code="redirected"
            )
        if status in (401, 403):
            raise EndpointRejected(
                f"It answered {status}: it does not accept our credentials.", code="unauthorized"
            )
        if status == 404:
            raise EndpointRejected("It answered 404: no such path.", code="no_such_path")
        if status == 429:
            raise EndpointUnavailable("It answered 429: too many calls.", code="throttled")
        if status == 400:
            # MLflow's own table: 400 is a bad row or body, 500 is trouble of its own.
            raise EndpointRejected(
                f"It answered 400{said}: it does not take these rows.", code="bad_rows"
            )
        if status >= 500:
            raise EndpointUnavailable(f"It answered {status}{said}.", code=f"http_{status}")
        raise EndpointRejected(f"It answered {status}{said}.", code=f"http_{status}")


def _cell(row: Mapping[str, Any], column: str) -> Any:
    """A JSON value; a missing one (None, NaN, NaT) is null, as MLflow reads it back."""
    try:
        value = row[column]
    except KeyError:
        raise Invalid(
            f"A row lacks the column “{column[:100]}”.",
            code="missing_column",
            fields={"rows": [f"A row lacks the column “{column[:100]}”."]},
        ) from None
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            raise Invalid(
                f"The column “{column[:100]}” holds an infinite number.",
                code="infinite_value",
                fields={"rows": [f"The column “{column[:100]}” holds an infinite number."]},
            )
        return value
    if isinstance(value, (datetime, date)):
        # pandas' NaT is a datetime that equals not even itself.
        return value.isoformat() if value == value else None
    raise Invalid(
        f"The column “{column[:100]}” holds a {type(value).__name__}, which no JSON cell is.",
        fields={"rows": [f"The column “{column[:100]}” holds no plain value."]},
    )


def _error_code(body: bytes) -> str:
    """MLflow's own ``error_code`` and nothing else of the body: its message echoes our rows."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    code = answer.get("error_code") if isinstance(answer, dict) else None
    return code if isinstance(code, str) and _ERROR_CODE.match(code) else ""
