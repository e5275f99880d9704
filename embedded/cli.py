"""The command line behind ``manage.py embedded`` and ``python -m embedded``."""

import argparse
import os
from pathlib import Path
from typing import TextIO

import embedded

DEFAULT_PORT = 8000
ROOT = Path(__file__).resolve().parent.parent


def default_var_dir() -> Path:
    """VAR_DIR; a relative one lies in the project, wherever the command was called from."""
    return ROOT / (os.environ.get("VAR_DIR") or "var")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; the defaults are VAR_DIR and PORT of the environment."""
    parser.add_argument("action", choices=["up", "down", "status", "purge"])
    parser.add_argument("--var-dir", type=Path, default=default_var_dir())
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or DEFAULT_PORT))
    parser.add_argument(
        "--free-ports", action="store_true", help="any free ports instead of PORT's"
    )
    parser.add_argument("--no-fsync", action="store_true", help="faster; for tests")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--only", help=f"some of {','.join(embedded.ALL)}, with commas")
    chosen.add_argument("--all", action="store_true", help="Envoy too")


def run(options: argparse.Namespace, out: TextIO) -> int:
    """Do it and say so; the exit status is 1 where ``status`` misses one that was asked for."""
    which = _which(options)
    if options.action == "up":
        embedded.up(
            options.var_dir,
            options.port,
            which,
            free_ports=options.free_ports,
            durable=not options.no_fsync,
        )
    elif options.action == "down":
        stopped = embedded.down(options.var_dir, which)
        out.write(f"stopped: {', '.join(stopped) or 'nothing was running'}\n")
        return 0
    elif options.action == "purge":
        embedded.purge(options.var_dir)
        out.write(f"removed: {options.var_dir}\n")
        return 0
    found = embedded.status(options.var_dir, which)
    for service in found:
        mark = f"running, pid {service.pid}, {service.where}" if service.is_running else "stopped"
        out.write(f"{service.name:9} {mark}\n")
    # Envoy is optional: only whoever names it is told by the exit status that it is missing.
    asked = which if options.only or options.all else embedded.DEFAULT
    return 0 if all(service.is_running for service in found if service.name in asked) else 1


def _which(options: argparse.Namespace) -> tuple[str, ...]:
    if options.only:
        return tuple(name.strip() for name in options.only.split(",") if name.strip())
    # What is already running is stopped and shown, whoever asked for it.
    everything = options.all or options.action in ("down", "status")
    return embedded.ALL if everything else embedded.DEFAULT
