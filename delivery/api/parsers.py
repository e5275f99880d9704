"""Bodies of many lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from common.api.parsers import PayloadTooLarge


class LinesParser(BaseParser):
    """NDJSON as a list of what stands on its lines; capped like any JSON body."""

    media_type = "application/x-ndjson"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise PayloadTooLarge(f"A body may have at most {limit} bytes.")
        found = []
        for number, line in enumerate(raw.split(b"\n"), start=1):
            if not line.strip():
                continue
            try:
                found.append(json.loads(line.decode("utf-8")))
            except (ValueError, RecursionError):
                raise ParseError(f"Line {number} is not JSON.") from None
        return found
