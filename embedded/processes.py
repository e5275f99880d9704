"""Start a program that outlives us, find it again after a crash, and stop it for certain.

A process id alone proves nothing: ids are used again. So each service is remembered by its id
*and* its start time, and every service adds a check of its own (its data folder, its socket, its
admin port).
"""

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import EmbeddedError, PortTaken

PROC = Path("/proc")
LOOPBACK = "127.0.0.1"

# Our own children, kept so that a dead one is reaped: a zombie still has an id and would look
# alive.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class User:
    """An account to run a service under."""

    name: str
    uid: int
    gid: int


def unprivileged_user() -> User | None:
    """Whom to become for programs that refuse root; None when we are an ordinary user already."""
    if os.geteuid() != 0:
        return None
    wanted = os.environ.get("EMBEDDED_USER")
    names = [wanted] if wanted else ["postgres", "nobody"]
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid:
            return User(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        f"PostgreSQL refuses to run as root and none of these users exists: {', '.join(names)}. "
        "Run as an ordinary user, or name one with EMBEDDED_USER=…"
    )


def run_as(
    user: User | None, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end as ``user``, from ``/``: ours may be closed to them."""
    return subprocess.run(
        [str(part) for part in command],
        user=None if user is None else user.uid,
        group=None if user is None else user.gid,
        extra_groups=None if user is None else [],
        cwd="/",
        env=dict(env) if env is not None else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path,
    user: User | None = None,
    env: Mapping[str, str] | None = None,
) -> int:
    """Start ``command`` in a session of its own, so that no Ctrl-C meant for us reaches it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        child = subprocess.Popen(
            [str(part) for part in command],
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
            cwd=cwd,
            env=dict(env) if env is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
        )
    _children[child.pid] = child
    return child.pid


def started_at(pid: int) -> str | None:
    """When the process began, in the kernel's own ticks: two processes with one id differ in it."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The name in parentheses may hold spaces, so count the fields after it.
    return text.rpartition(")")[2].split()[19]


def is_alive(pid: int | None, started: str | None = None) -> bool:
    """Whether ``pid`` runs, is no zombie, and (where known) began at ``started``."""
    if not pid or pid <= 0:
        return False
    child = _children.get(pid)
    if child is not None:
        if child.poll() is not None:
            del _children[pid]
            return False
        return started is None or started_at(pid) in (None, started)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return not PROC.is_dir()
    # A zombie whose threads still end (field 20) holds its ports and files: not dead yet.
    if fields[0] in "ZX" and int(fields[17]) <= 1:
        return False
    return started is None or started_at(pid) in (None, started)


def stop(pid: int, signals: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn and wait its seconds, until the process is gone.

    Raises:
        EmbeddedError: it survived them all.
    """
    started = started_at(pid)
    for number, grace_s in signals:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline:
            if not is_alive(pid, started):
                return
            time.sleep(0.02)
    raise EmbeddedError(f"Process {pid} does not stop.")


def processes_in(folder: Path) -> list[int]:
    """Every process whose working folder is ``folder``: how orphaned server processes are found."""
    found = []
    real = str(folder.resolve())
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if not entry.name.isdecimal():
            continue
        try:
            if str((entry / "cwd").readlink()) == real and is_alive(int(entry.name)):
                found.append(int(entry.name))
        except OSError:
            continue  # gone meanwhile, or not ours to look at
    return found


# Ports


def free_port() -> int:
    """A port nobody listens on now."""
    return free_base(1)


def free_base(count: int = 30) -> int:
    """A first port such that it and the next ``count`` - 1 are free: a value for PORT."""
    for _ in range(200):
        # Below the range the kernel hands out to clients, or a connection may sit on it at the
        # next start.
        base = 10_000 + int.from_bytes(os.urandom(2)) % 20_000
        if all(is_port_free(base + offset) for offset in range(count)):
            return base
    raise EmbeddedError(f"No {count} free ports in a row were found on {LOOPBACK}.")


def is_port_free(port: int) -> bool:
    """Whether a server could bind ``port`` on the loopback address now."""
    with socket.socket() as probe:
        # Servers set it too; without it the waiting remains of old connections look like an owner.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def insist_port_free(what: str, port: int) -> None:
    """Refuse early and by name; the server's own message would hide in a log.

    Raises:
        PortTaken: somebody listens there.
    """
    if not 0 < port < 65_536:
        raise EmbeddedError(f"Port {port} for {what} is not between 1 and 65535.")
    if not is_port_free(port):
        raise PortTaken(what, port, port_owner(port))


def port_owner(port: int) -> int | None:
    """The process that listens on ``port``, where the kernel lets us see it."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for entry in PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if any(str(link.readlink()) in wanted for link in (entry / "fd").iterdir()):
                return int(entry.name)
        except OSError:
            continue  # another user's process, or it has just ended
    return None


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes


def log_tail(log: Path, lines: int = 15) -> str:
    """The last lines of a service's log, for an error message."""
    try:
        text = log.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        return "(no log)"
    return "\n".join(f"  | {line}" for line in text) or "(empty log)"
