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
        """The revision that both of Envoy's subscriptions serve, 0 when none of ours."""
        versions = {reading.cds_version.split("-")[0], reading.rds_version}
        version = versions.pop()
        return int(version) if not versions and version.isdigit() else 0

    def apply(self, config: dict[str, Any]) -> None:
        """Make Envoy serve ``config``.

        Raises:
            Refused: Envoy rejected one of the files; the other stays as it is.
            envoy_admin.AdminUnreachable: Envoy is away; its files are in place all the same.
        """
        before = self._clusters_on_disk()
        wanted = {cluster["name"]: cluster for cluster in config["cds"]["resources"]}
        version = config["cds"]["version_info"]
        union = [*wanted.values(), *(c for name, c in before.items() if name not in wanted)]
        transition = {"version_info": f"{version}-a", "resources": union}
        start = self._read_or_none()
        self._write("cds.yaml", transition)
        self._wait(start, cds=f"{version}-a")
        self._write("rds.yaml", config["rds"])
        self._wait(start, rds=version)
        # Old clusters go only now, when no route leads to them any more.
        self._write("cds.yaml", config["cds"])
        self._wait(start, cds=version)

    def _clusters_on_disk(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads((self.folder / "cds.yaml").read_text())
        except (OSError, ValueError):
            return {}
        return {cluster["name"]: cluster for cluster in content.get("resources", [])}

    def _write(self, name: str, content: dict[str, Any]) -> None:
        beside = self.folder / f".{name}.{os.getpid()}"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file)
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
