"""``make check``: what CI checks, no more, no less. All steps run, then the verdict.

Two steps at a time (mypy alone takes as long as the others together). With arguments, only the
steps whose names contain one of them: ``make check ONLY=ruff``.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
PYTHON = str(BIN / "python")
LINES = int(os.environ.get("LINES_SHOWN", "60"))  # of each failed step; 0 shows all

# Throw-away values of the right form, so that production settings load; nothing is ever signed
# with them.
KEY = "A" * 43 + "="
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.prod",
    "SECRET_KEY": "throw-away-Gq7vR2mXw9Lb4Tn8Zs3Kd6Yh1Pc5Jf0Ae-for-checks-only",
    "ALLOWED_HOSTS": "countersign.example",
    "BASE_URL": "https://countersign.example",
    "DATABASE_URL": "postgres://cs_app:none@127.0.0.1:1/none",
    "DATABASE_OWNER_URL": "postgres://cs_owner:none@127.0.0.1:1/none",
    "DATABASE_SEALER_URL": "postgres://cs_sealer:none@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "EMAIL_URL": "smtp://127.0.0.1:1",
    "FIELD_KEYS": KEY,
    "AUDIT_SIGNING_KEY": KEY,
    "AUDIT_MAC_KEY": KEY,
}
APPS = [
    "config",
    "governance",
    "delivery",
    "monitoring",
    "evaluation",
    "serving",
    "registry",
    "outbound",
    "jobs",
    "accounts",
    "audit",
    "common",
]

# pattern, where it is allowed, why it is not elsewhere
FORBIDDEN: tuple[tuple[str, str, str], ...] = (
    (
        r"\b(?:pickle|cPickle|dill|cloudpickle|joblib)\.loads?\("
        r"|\bimport (?:pickle|dill|cloudpickle)\b",
        r"tests/|demo/|benchmarks/|tools/check\.py",
        "nothing uploaded is ever executed: no unpickling",
    ),
    (
        r"^\s*(?:import|from) (?:httpx|aiohttp|requests|urllib\.request|urllib3)\b"
        r"|^\s*from urllib import .*\brequest\b",
        r"outbound/(?:client|traffic)(?:\.py|/|_)|tests/|demo/|benchmarks/|embedded/|tools/",
        "everything that leaves the house goes through outbound/client and outbound/traffic",
    ),
    (
        r"\.(?:delay|apply_async)\(",
        r"(?!.*/services(?:/|\.py))",  # anywhere but in services
        "services do not enqueue: edges, receivers and schedules do, after commit",
    ),
    (
        r"\bmark_safe\(|\|\s*safe\b|\{%\s*autoescape off",
        r"tests/|tools/",
        "HTML is escaped; no mark_safe",
    ),
    (r"\byaml\.(?:load|unsafe_load|full_load)\(", r"tests/|tools/", "yaml.safe_load only"),
    (r"\bverify\s*=\s*False\b", r"tests/|tools/", "certificates are always checked"),
)


def main(only: Sequence[str]) -> int:
    """Run the steps and return the exit status."""
    steps = [step for step in _steps() if not only or any(part in step[0] for part in only)]
    if not steps:
        print(f"check: no step is called {' or '.join(only)}")
        return 2
    began = time.monotonic()
    failed = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = [(name, pool.submit(_timed, action)) for name, action in steps]
        for name, future in running:
            problem, seconds = future.result()
            print(f"{'✗' if problem else '✓'} {name:28} {seconds:5.1f} s", flush=True)
            if problem:
                failed.append(name)
                print(_shortened(problem), flush=True)
    verdict = f"failed: {', '.join(failed)}" if failed else "all good"
    print(f"check: {len(steps)} steps, {verdict} ({time.monotonic() - began:.0f} s)")
    return 1 if failed else 0


def _steps() -> list[tuple[str, Callable[[], str]]]:
    manage = [PYTHON, "-W", "ignore::RuntimeWarning", "manage.py"]
    return [
        ("types (mypy)", _command([str(BIN / "mypy"), "--no-error-summary"])),
        (
            "lint (ruff check)",
            _command([str(BIN / "ruff"), "check", "--quiet", "--output-format=concise", "."]),
        ),
        (
            "format (ruff format)",
            _command([str(BIN / "ruff"), "format", "--check", "--output-format=concise", "."]),
        ),
        ("import contracts", _command([str(BIN / "lint-imports"), "--no-cache"])),
        (
            "migrations are complete",
            _command([*manage, "makemigrations", "--check", "--dry-run"], _without_services()),
        ),
        (
            "deploy checks",
            _command([*manage, "check", "--deploy", "--fail-level", "WARNING"], PRODUCTION),
        ),
        ("templates compile", _command([PYTHON, "tools/check_templates.py"], _without_services())),
        ("template style (djade)", _djade),
        (
            "security (bandit)",
            _command(
                [str(BIN / "bandit"), "-q", "-ll", "-ii", "-c", "pyproject.toml", "-r", *APPS]
            ),
        ),
        ("house rules", _house_rules),
    ]


def _shortened(text: str) -> str:
    """The end of a long output: that is where programs put the reason."""
    lines = text.splitlines()
    left_out = len(lines) - LINES
    head = (
        [f"({left_out} lines left out; LINES_SHOWN=0 shows all)"] if LINES and left_out > 0 else []
    )
    return "\n".join(f"    {line}" for line in [*head, *lines[-LINES:]])


def _timed(action: Callable[[], str]) -> tuple[str, float]:
    began = time.monotonic()
    return action(), time.monotonic() - began


def _command(command: Sequence[str], extra: dict[str, str] | None = None) -> Callable[[], str]:
    """A step that runs a program; the problem is its output when it fails."""

    def run() -> str:
        environ = {**os.environ, "PYTHONPATH": str(ROOT), **(extra or {})}
        done = subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
        )
        text = (done.stdout + done.stderr).strip()
        return "" if done.returncode == 0 else text or f"exit status {done.returncode}"

    return run


def _without_services() -> dict[str, str]:
    """Development settings with an empty VAR_DIR: the answer must not depend on what runs here."""
    empty = str(Path(tempfile.gettempdir()) / "countersign-check-no-such-folder")
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings.dev", "VAR_DIR": empty}
    return {**settings, **dict.fromkeys(("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"), "")}


def _djade() -> str:
    templates = _tracked("*.html")
    if not templates:
        return ""
    command = [str(BIN / "djade"), "--check", "--target-version", "5.2", *templates]
    return _command(command)()


def _house_rules() -> str:
    """Patterns that no linter knows, over every file git would commit."""
    found = []
    for name in _tracked("*.py", "*.html"):
        if name.startswith("static/vendor/"):
            continue
        text = (ROOT / name).read_text(errors="replace")
        for pattern, allowed, why in FORBIDDEN:
            if re.match(allowed, name):
                continue
            for match in re.finditer(pattern, text, re.MULTILINE):
                line = (
                    text.count("\n", 0, match.start() + len(match[0]) - len(match[0].lstrip())) + 1
                )
                found.append(f"{name}:{line}: {match[0].strip()}  ({why})")
    return "\n".join(found)


def _tracked(*patterns: str) -> list[str]:
    """Files known to git or about to be: what is ignored is nobody's business."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
