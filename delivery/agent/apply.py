"""Puts a configuration in place: clusters before routes, and no cluster away before its route."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from delivery.agent import envoy_admin

APPLY_TIMEOUT_S = 15.0
LOG_TAIL_BYTES = 4000
FILES = ("cds.yaml", "rds.yaml")


class Refused(Exception):
    """Envoy refused a file; the text is the end of its log."""


class Applier:
    """Writes ``cds.yaml`` and ``rds.yaml`` by rename and waits for Envoy's word on them.

    JSON is YAML, so the files are written as JSON. ``current`` is read back from the files at the
    start: a restarted agent knows what the gateway serves.
    """

    def __init__(self, folder: Path, admin_port: int, log: Path | None = None) -> None:
        self.folder = folder
        self.admin_port = admin_port
        self.log = log

    def applied_revision(self, reading: envoy_admin.Reading) -> int:
        """The revision whose routes Envoy serves, 0 when none of ours.

        Its clusters were there before: routes to a cluster that is missing are refused.
        """
        return int(reading.rds_version) if reading.rds_version.isdigit() else 0

    def apply(self, config: dict[str, Any]) -> None:
        """Make Envoy serve ``config``.

        Raises:
            Refused: Envoy rejected one of the files. The files are again what it serves, so that
                a restarted Envoy does not meet the bad ones.
            envoy_admin.AdminUnreachable: Envoy is away; what it will read at its return is whole.
        """
        before = {name: self._content(name) for name in FILES}
        wanted = {cluster["name"]: cluster for cluster in config["cds"]["resources"]}
        version = config["cds"]["version_info"]
        old = self._clusters_on_disk()
        union = [*wanted.values(), *(c for name, c in old.items() if name not in wanted)]
        start = self._read_or_none()
        try:
            self._write("cds.yaml", _dump({"version_info": f"{version}-a", "resources": union}))
            self._wait(start, cds=f"{version}-a")
            self._write("rds.yaml", _dump(config["rds"]))
            self._wait(start, rds=version)
            # Old clusters go only now, when no route leads to them any more.
            self._write("cds.yaml", _dump(config["cds"]))
            self._wait(start, cds=version)
        except Refused:
            # Routes first this time: none may be left that leads to a cluster that goes.
            for name in reversed(FILES):
                if (content := before[name]) is not None:
                    self._write(name, content)
            raise

    def _content(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def _clusters_on_disk(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads((self.folder / "cds.yaml").read_text())
        except (OSError, ValueError):
            return {}
        return {cluster["name"]: cluster for cluster in content.get("resources", [])}

    def _write(self, name: str, content: bytes) -> None:
        beside = self.folder / f".{name}.{os.getpid()}"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.folder / name)

    def _read_or_none(self) -> envoy_admin.Reading | None:
        try:
            return envoy_admin.read(self.admin_port)
        except envoy_admin.AdminUnreachable:
            return None

    def _wait(
        self, start: envoy_admin.Reading | None, *, cds: str | None = None, rds: str | None = None
    ) -> None:
        deadline = time.monotonic() + APPLY_TIMEOUT_S
        while True:
            reading = envoy_admin.read(self.admin_port)
            if (cds is None or reading.cds_version == cds) and (
                rds is None or reading.rds_version == rds
            ):
                return
            if start is not None and (
                reading.cds_rejected > start.cds_rejected
                or reading.rds_rejected > start.rds_rejected
            ):
                raise Refused(self._log_tail())
            if time.monotonic() > deadline:
                raise Refused(f"Envoy took up nothing within {APPLY_TIMEOUT_S:.0f} s.")
            time.sleep(0.05)

    def _log_tail(self) -> str:
        if self.log is None or not self.log.exists():
            return "Envoy refused the configuration."
        with self.log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
        telling = [line for line in lines if "reject" in line or "rror" in line]
        return (telling or lines or ["Envoy refused the configuration."])[-1][:900]


def _dump(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode()
