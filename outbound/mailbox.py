"""Mail as ``.eml`` files in a folder: what a person can open, and the demo shows."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

_PLAIN = re.compile(r"[^A-Za-z0-9.-]+")


class EmlBackend(BaseEmailBackend):
    """One file a message, named after its Message-ID: the same message again replaces its file."""

    def __init__(self, *, file_path: Path | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.folder = Path(file_path or settings.EMAIL_DIR)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for message in email_messages:
            self._write(message)
        return len(email_messages)

    def _write(self, message: EmailMessage) -> None:
        content: Any = message.message()
        name = _PLAIN.sub("_", str(content["Message-ID"]).strip("<>"))[:120]
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".", delete=False) as file:
            file.write(content.as_bytes(linesep="\r\n"))
        Path(file.name).replace(self.folder / f"{name}.eml")
