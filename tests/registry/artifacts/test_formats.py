"""What a file is: by its bytes, and executable when in doubt."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from registry.artifacts.formats import BY_KEY
from registry.artifacts.recognise import recognise
from registry.artifacts.zips import BadZip, members
from tests.registry.artifacts import files


def kind(raw: bytes, name: str = "") -> str:
    return recognise(lambda start, stop: raw[start:stop], len(raw), name).key


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return out.getvalue()


def numpy_bytes(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"), io.BytesIO(b""))
    return out.getvalue()


PICKLE = pickle.dumps({"a": [1, 2.5]}, 4)
HARMLESS = {
    "onnx": files.onnx_model(),
    "skops": files.skops_file(),
    "xgboost-json": files.xgboost_json(),
    "xgboost-ubj": files.xgboost_ubj(),
    "lightgbm": files.lightgbm_text(),
    "safetensors": files.safetensors(),
    "npy": numpy_bytes(np.arange(3.0)),
    "parquet": b"PAR1" + bytes(20) + b"PAR1",
    "csv": b"id,x\n1,2\n3,4\n5,6\n",
    "json": b'{"a": [1, 2]}',
    "pdf": b"%PDF-1.7\n",
    "zip": zipped("readme.txt"),
    "tar": tarred(),
    "text": "Ein Modell für Kredite.\n".encode(),
    "html": b"<!DOCTYPE html><script>alert(1)</script>",
    "pmml": b'<?xml version="1.0"?><PMML version="4.4"></PMML>',
    "archive": gzip.compress(b"id,x\n1,2\n" * 100),
    "empty": b"",
    "unknown": bytes(range(1, 32)),
}
EXECUTABLE = {
    "joblib, zlib": ("joblib", zlib.compress(PICKLE)),
    "joblib, gzip": ("joblib", gzip.compress(PICKLE)),
    "joblib, bz2": ("joblib", bz2.compress(PICKLE)),
    "joblib, xz": ("joblib", lzma.compress(PICKLE)),
    "joblib, lzma": ("joblib", lzma.compress(PICKLE, lzma.FORMAT_ALONE)),
    "joblib, lz4": ("compressed", b"\x04\x22\x4d\x18" + bytes(20)),
    "compressed with something unknown": ("compressed", gzip.compress(bytes(100))),
    "cloudpickle": ("cloudpickle", b"\x80\x05\x95\x00\x8c\x17cloudpickle.cloudpickle\x94."),
    "torch zip": ("torch", zipped("archive/data.pkl", "archive/version")),
    "torchscript": ("torchscript", zipped("m/constants.pkl", "m/data.pkl", "m/code/a.py")),
    "torch before 1.6": ("torch", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."),
    "keras zip": ("keras", zipped("config.json", "metadata.json", "model.weights.h5")),
    "keras h5": ("hdf5", b"\x89HDF\r\n\x1a\n" + bytes(50)),
    "h5 after a user block": ("hdf5", b"\x01" * 512 + b"\x89HDF\r\n\x1a\n"),
    "npy with objects": ("npy-objects", numpy_bytes(np.array([{}, 1], dtype=object))),
    "npy with objects inside": (
        "npy-objects", numpy_bytes(np.zeros(1, dtype=[("a", "f8"), ("b", "O")])),
    ),
    "npz": ("npz", zipped("a.npy", "b.npy")),
    "pickle in a zip": ("joblib", zipped("model/estimator.pkl", "readme")),
    "wheel": ("wheel", zipped("a/__init__.py", "a-1.dist-info/METADATA")),
    "zip that is a program": ("python-zip", zipped("__main__.py")),
    "jar": ("jar", zipped("META-INF/MANIFEST.MF")),
    "java": ("java", b"\xac\xed\x00\x05sr"),
    "R data": ("r-data", gzip.compress(b"RDX3\nX\n\x00")),
    "elf": ("program", b"\x7fELF\x02\x01"),
    "script": ("program", b"#!/bin/sh\necho"),
    "bytecode": ("bytecode", b"\xa7\r\r\n" + bytes(30)),
}  # fmt: skip


@pytest.mark.parametrize("expected", HARMLESS)
def test_formats_are_recognised_by_their_bytes(expected):
    assert kind(HARMLESS[expected], "anything") == expected
    assert not BY_KEY[expected].is_executable


@pytest.mark.parametrize("case", EXECUTABLE)
def test_what_runs_code_is_said_to(case):
    expected, raw = EXECUTABLE[case]

    assert kind(raw, "readme.txt") == expected
    assert BY_KEY[expected].is_executable


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("thing", [{"a": 1}, [1, 2], {1}, Path("x"), np.zeros(3)])
def test_every_pickle_is_a_pickle(protocol, thing):
    assert kind(pickle.dumps(thing, protocol)) == "pickle"


def test_a_name_raises_a_suspicion_and_lowers_none():
    assert kind(b"no idea", "model.pkl") == "pickle"
    assert kind(PICKLE, "table.csv") == "pickle"
    assert kind(PICKLE, "model.onnx") == "pickle"


@pytest.mark.parametrize("text", [b"city\nberlin\nparis\n", b"(see below)\n", b"a\n", b"xylophone"])
def test_words_are_no_pickles(text):
    assert kind(text) == "text"


def test_a_zips_directory_is_read_within_bounds():
    raw = zipped("../../etc/passwd", "/abs", "C:\\x", "fine/name", "a/..b")

    found = members(lambda start, stop: raw[start:stop], len(raw))

    assert [it.leads_outside for it in found] == [True, True, True, False, False]
    bomb = bytearray(raw)
    at = bomb.rfind(b"PK\x05\x06")
    bomb[at + 10 : at + 12] = (60_000).to_bytes(2, "little")
    for broken in (bytes(bomb), raw[:-30], b"PK\x03\x04", b"", raw[: at + 4]):
        with pytest.raises(BadZip):
            members(lambda start, stop, raw=broken: raw[start:stop], len(broken))


def test_a_large_directory_is_refused_before_it_is_read():
    claim = b"PK\x05\x06" + bytes(6) + (5).to_bytes(2, "little") + b"\xf0\xff\xff\xff" + bytes(6)
    asked = []

    def read(start: int, stop: int) -> bytes:
        asked.append(stop - start)
        return claim

    with pytest.raises(BadZip, match="claims"):
        members(read, len(claim))
    assert sum(asked) < 100_000
