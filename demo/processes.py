"""Starts and stops every process of the demo; each has its own log file and process group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
STOP_TIMEOUT_S = 12.0


class DidNotStart(Exception):
    """A process ended or stayed silent; the text holds the end of its log."""


@dataclass
class Process:
    """One child: its name, its handle and its log."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass
class Supervisor:
    """The children of one run; ``stop`` ends them in the opposite order."""

    var_dir: Path
    env: Mapping[str, str]
    children: list[Process] = field(default_factory=list)
    _files: list[IO[bytes]] = field(default_factory=list)

    def start(self, name: str, *command: str, **extra_env: str) -> Process:
        """Start one child; ``command[0]`` is found beside this Python where it stands there."""
        logs = self.var_dir / "log"
        logs.mkdir(parents=True, exist_ok=True)
        log = logs / f"{name}.log"
        out = log.open("wb")
        self._files.append(out)
        program = BIN / command[0]
        argv = [str(program) if program.exists() else command[0], *command[1:]]
        popen = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**os.environ, **self.env, **extra_env},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        child = Process(name, popen, log)
        self.children.append(child)
        return child

    def run(self, *command: str, **extra_env: str) -> str:
        """Run one command to its end and return what it printed.

        Raises: DidNotStart with its last words when it fails.
        """
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            cwd=ROOT,
            env={**os.environ, **self.env, **extra_env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise DidNotStart(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
        return done.stdout

    def wait_http(self, child: Process, url: str, *, timeout_s: float = 90.0) -> None:
        """Wait until ``url`` answers anything below 500.

        Raises: DidNotStart.
        """

        def answers() -> bool:
            try:
                with urlopen(url, timeout=3):
                    return True
            except HTTPError as error:
                return error.code < 500
            except (URLError, OSError):
                return False

        self.wait(child, answers, f"{url} did not answer", timeout_s=timeout_s)

    def wait(
        self, child: Process, condition: Callable[[], bool], what: str, *, timeout_s: float = 60.0
    ) -> None:
        """Wait for a condition while the child lives."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if child.popen.poll() is not None:
                raise DidNotStart(f"{child.name} ended. {child.log}:\n{child.tail()}")
            if time.monotonic() > deadline:
                raise DidNotStart(f"{what} within {timeout_s:.0f} s. {child.log}:\n{child.tail()}")
            time.sleep(0.1)

    def dead(self) -> list[str]:
        """Names of children that ended by themselves."""
        return [child.name for child in self.children if child.popen.poll() is not None]

    def stop(self) -> None:
        """End all children: politely, then not."""
        for child in reversed(self.children):
            if child.popen.poll() is None:
                child.popen.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for child in reversed(self.children):
            try:
                child.popen.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.popen.pid, signal.SIGKILL)
                child.popen.wait()
        for file in self._files:
            file.close()
        self.children.clear()
