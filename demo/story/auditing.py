"""Chapter 8: the trail is verified offline, and a tampered copy is refused."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from demo.report import insist
from demo.story.stage import Stage

TITLE = "The auditor"


def _export(stage: Stage) -> Path:
    path = stage.house.var_dir / "audit-export.zip"
    response = stage.auditor.http.post("audit/exports", json={})
    insist(response.status_code in {200, 201}, f"{response.status_code} {response.text[:300]}")
    path.write_bytes(response.content)
    path.chmod(0o600)
    return path


def _verify(folder: Path) -> tuple[int, str]:
    """The verifier inside the export, by a Python with nothing but its standard library."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(folder / "verify.py")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    words = (done.stdout + done.stderr).strip().splitlines()
    return done.returncode, " ".join(words[-2:])


def verified(stage: Stage) -> str:
    path = _export(stage)
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(path) as archive:
        archive.extractall(name)
        code, words = _verify(Path(name))
    insist(code == 0, words)
    return f"{path.stat().st_size // 1024} kB. {words}"


def tampered(stage: Stage) -> str:
    path = stage.house.var_dir / "audit-export.zip"
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(path) as archive:
        archive.extractall(name)
        events = Path(name) / "events.jsonl"
        lines = events.read_text().splitlines()
        index = next(i for i, line in enumerate(lines) if "request.signed" in line)
        entry = json.loads(lines[index])
        entry["body"] = entry["body"].replace("approve", "reject!", 1)
        insist(json.dumps(entry) != json.dumps(json.loads(lines[index])), "nothing to tamper with")
        lines[index] = json.dumps(entry)
        events.write_text("\n".join(lines) + "\n")
        code, words = _verify(Path(name))
    insist(code != 0, f"the tampered copy passed: {words}")
    return words


def database(stage: Stage) -> str:
    words = stage.house.supervisor.run("python", "manage.py", "audit_verify")
    return " ".join(words.strip().splitlines()[-1:])


STEPS = (
    ("The export verifies itself with the standard library alone", verified),
    ("One signature changed in a copy", tampered),
    ("The database agrees with its own tree", database),
)
