"""Bodies that are not read into memory: the view gets the stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

#: By media type, what the service calls the format.
FORMATS = {
    "application/x-ndjson": "ndjson",
    "application/vnd.apache.parquet": "parquet",
}


class _StreamParser(BaseParser):
    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return stream


class NdjsonParser(_StreamParser):
    media_type = "application/x-ndjson"


class ParquetParser(_StreamParser):
    media_type = "application/vnd.apache.parquet"


ROW_PARSERS: list[type[BaseParser]] = [NdjsonParser, ParquetParser]
