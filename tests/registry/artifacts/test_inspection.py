"""What is read from each format, and damaged files by the dozen: a reason, never a crash."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from audit.actions import Action
from jobs.services.run import run_until_idle
from registry.artifacts import present
from registry.artifacts.inspection import run as runner
from registry.artifacts.inspection.errors import Unreadable
from registry.artifacts.inspection.readers import reader_of
from registry.artifacts.inspection.run import InspectionFailed, inspect
from registry.models import Artifact
from tests.registry.artifacts import files
from tests.registry.artifacts.conftest import put

ROOT = Path(__file__).resolve().parents[3]


def read(name: str, raw: bytes) -> dict[str, Any]:
    return reader_of(name)(io.BytesIO(raw), len(raw))


def confined(name: str, raw: bytes, **options: Any) -> dict[str, Any]:
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.flush()
        return inspect(file, format=name, size=len(raw), timeout_s=30, **options)


def test_onnx_says_its_columns_and_operators():
    found = read("onnx", files.onnx_model())

    assert found["operator_sets"] == [{"domain": "ai.onnx", "version": 18}]
    assert (found["nodes"], found["parameters"], found["producer"]) == (2, 3, "tests")
    assert found["operators"] == {"MatMul": 1, "Sigmoid": 1}
    assert found["signature"] == {
        "inputs": [
            {"name": "x", "type": "tensor(float)[?,3]", "required": True},
            {"name": "purpose", "type": "string", "required": True},
        ],
        "outputs": [{"name": "score", "type": "float"}],
    }
    custom = read("onnx", files.onnx_model(domain="com.example"))
    assert custom["custom_domains"] == ["com.example"]
    assert "com.example" in " ".join(present.remarks(custom))


def test_xgboost_says_the_same_in_both_of_its_forms():
    as_json, as_ubj = (
        read("xgboost-json", files.xgboost_json()),
        read("xgboost-ubj", files.xgboost_ubj()),
    )

    assert as_json == as_ubj
    assert (as_json["objective"], as_json["trees"]) == ("binary:logistic", 2)
    types = [it["type"] for it in as_json["signature"]["inputs"]]
    assert types == ["long", "double", "string"]


def test_lightgbm_says_header_and_trees():
    found = read("lightgbm", files.lightgbm_text())

    assert (found["objective"], found["trees"], found["leaves"]) == ("binary sigmoid:1", 2, 6)
    assert [it["type"] for it in found["signature"]["inputs"]] == ["double", "double", "integer"]


def test_safetensors_says_its_tensors():
    found = read("safetensors", files.safetensors())

    assert (found["tensors_count"], found["parameters"]) == (2, 8)
    assert found["types"] == {"F32": 1, "F16": 1}


def test_skops_says_which_types_a_person_has_to_trust():
    trusted, other = read("skops", files.skops_file()), read("skops", files.skops_file(False))

    assert (trusted["untrusted"], trusted["root"]) == ([], "sklearn.pipeline.Pipeline")
    assert other["untrusted"] == ["onnx.save_model"]
    assert "onnx.save_model" in present.remarks(other)[0]


def test_a_schema_that_unpacks_to_gigabytes_is_not_read():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"[" * 40_000_000)

    with pytest.raises(Unreadable, match="16 MB"):
        read("skops", out.getvalue())


def mutants(raw: bytes, count: int) -> list[bytes]:
    """Cut, flipped, doubled, shuffled: as a fuzzer makes them, the same ones each time."""
    chance = random.Random(7)
    made = [raw[: len(raw) // 2], raw[:-1], raw + b"\x00", raw[:10], raw[: len(raw) - 40]]
    while len(made) < count:
        body = bytearray(raw)
        for _ in range(chance.choice((1, 3, 30))):
            at = chance.randrange(len(body))
            way = chance.randrange(4)
            if way == 0:
                body[at] = chance.randrange(256)
            elif way == 1:
                body[at] ^= 1 << chance.randrange(8)
            elif way == 2:
                body[at : at + chance.randrange(1, 20)] = b""
            else:
                body[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9)))
        made.append(bytes(body))
    return made


#: One process for all mutants of all formats, with the limits of a real one: libraries are imported
#: once, and a crash would end it.
_MANY = """
import io, json, sys
from registry.artifacts.inspection import limits, readers
limits.confine()
limits.leave_the_network()
answers = []
for name, raws in json.load(sys.stdin).items():
    read = readers.reader_of(name)
    for raw in raws:
        raw = bytes.fromhex(raw)
        try:
            json.dumps(read(io.BytesIO(raw), len(raw)), allow_nan=False, default=str)
            answers.append([name, "read"])
        except readers.Unreadable as error:
            answers.append([name, "refused"])
        except (RecursionError, MemoryError):
            answers.append([name, "refused"])
        except Exception as error:
            answers.append([name, f"{type(error).__name__}: {error}"])
json.dump(answers, sys.stdout)
"""


def test_mutants_are_read_or_refused_and_crash_nothing():
    given = {
        name: [raw.hex() for raw in mutants(make(), 60)] for name, make in files.INSPECTED.items()
    }

    done = subprocess.run(
        [sys.executable, "-c", _MANY],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=100,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath, "OPENBLAS_NUM_THREADS": "1"},
    )

    assert done.returncode == 0, done.stderr[-2000:]
    answers = json.loads(done.stdout)
    assert len(answers) == 60 * len(files.INSPECTED)
    assert [it for it in answers if it[1] not in ("read", "refused")] == []
    for name in files.INSPECTED:
        assert sum(it == [name, "refused"] for it in answers) > 5


def test_the_process_has_no_network_and_little_of_anything():
    limited = """
import json, os, resource, socket, sys
sys.argv = ["x", "onnx", "0"]
from registry.artifacts.inspection import limits
limits.confine()
left = limits.leave_the_network()
limits.become_nobody([])
def tried(what):
    try:
        what()
        return "worked"
    except OSError as error:
        return type(error).__name__
answer = {
    "left": left,
    "dialled": tried(lambda: socket.socket().connect(("127.0.0.1", 1))),
    "forked": tried(os.fork),
    "memory": resource.getrlimit(resource.RLIMIT_AS)[1],
    "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
    "root": os.geteuid() == 0,
}
json.dump({"found": answer, "without_network": left, "without_root": True}, sys.stdout)
"""
    found = confined("onnx", b"", command=[sys.executable, "-c", limited])

    assert found["memory"] == 3 * 1024**3
    assert (found["core"], found["root"], found["forked"]) == (0, False, "BlockingIOError")
    if found["left"]:  # refused in some containers; then the other belts hold
        assert found["dialled"] == "OSError"


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("import os; os.abort()", "crashed", "SIGABRT"),
        ("import os; os.kill(os.getpid(), 11)", "crashed", "SIGSEGV"),
        ("import os; os.kill(os.getpid(), 9)", "crashed", "memory or time"),
        ("raise ValueError", "crashed", "stumbled"),
        ("print('no json')", "crashed", "no answer"),
        ("import time; time.sleep(60)", "too_slow", "longer than"),
    ],
)
@pytest.mark.django_db
def test_a_crash_is_a_result_and_the_worker_lives(
    program, code, said, builder, monkeypatch, recorded_actions
):
    monkeypatch.setattr(runner, "COMMAND", (sys.executable, "-c", program))
    monkeypatch.setattr("registry.services.inspections.SECONDS", 1.0)
    monkeypatch.setattr(runner, "BEAT_SECONDS", 0.2)
    worker = os.getpid()
    stored = put(builder, files.onnx_model(), name="m.onnx").json()

    run_until_idle(20)

    assert os.getpid() == worker
    found = builder.get(f"/api/v1/artifacts/{stored['sha256']}").json()
    assert found["state"] == "unreadable"
    assert said in found["state_reason"]
    assert recorded_actions()[-1] == Action.ARTIFACT_INSPECTED

    monkeypatch.undo()
    again = builder.post(f"/api/v1/artifacts/{stored['sha256']}/inspect")
    assert (again.status_code, again.json()["state"]) == (202, "inspecting")
    if code == "too_slow":
        run_until_idle(20)
        assert Artifact.objects.get().state == "inspected"
        assert builder.post(f"/api/v1/artifacts/{stored['sha256']}/inspect").status_code == 409


@pytest.mark.django_db
def test_a_model_is_inspected_by_a_job_and_offers_its_signature(builder, client_for):
    stored = put(builder, files.onnx_model(), name="m.onnx").json()
    assert (stored["state"], stored["signature"]) == ("inspecting", None)

    run_until_idle(20)

    found = builder.get(f"/api/v1/artifacts/{stored['sha256']}").json()
    assert found["state"] == "inspected"
    builder.post("/api/v1/models", {"name": "credit"})
    version = {
        "signature": found["signature"],
        "artifacts": [{"name": "m", "sha256": found["sha256"]}],
    }
    made = builder.post("/api/v1/models/credit/versions", version)
    assert made.status_code == 201
    assert made.json()["signature"]["inputs"][0]["name"] == "x"
    page = client_for("viewer").get(f"/artifacts/{stored['sha256']}/").content.decode()
    assert "MatMul" in page
    assert "credit 1" in page


def test_nothing_unfit_for_a_page_or_postgresql_comes_out():
    header = json.dumps({"a\x00b\u202e": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}})
    raw = struct.pack("<Q", len(header)) + header.encode() + bytes(4)

    found = confined("safetensors", raw)

    assert found["tensors"][0]["name"] == "a�b�"
    with pytest.raises(InspectionFailed, match="header"):
        confined("safetensors", raw[:20])
