"""What a file is, by its bytes; its name may raise a suspicion and never lowers one (pure).

Nothing is loaded: beginnings are compared, and of a compressed file its first few bytes are
unpacked. When in doubt between harmless and executable, it is executable.
"""

from __future__ import annotations

import bz2
import json
import lzma
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from registry.artifacts.formats import BY_KEY, Format
from registry.artifacts.zips import BadZip, Member, Read, members

#: How much of the beginning and the end is looked at.
HEAD = 64 * 1024
TAIL = 64
_PEEK = 256
_XZ_MEMORY = 64 * 1024 * 1024

_MAGIC: Sequence[tuple[bytes, str]] = (
    (b"PAR1", "parquet"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\xac\xed\x00\x05", "java"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
    (b"#!", "program"),
    (b"\xfe\xed\xfa", "program"),
    (b"\xcf\xfa\xed\xfe", "program"),
    (b"\xca\xfe\xba\xbe", "program"),
    (b"RDX2\n", "r-data"),
    (b"RDX3\n", "r-data"),
    (b"X\n\x00\x00\x00", "r-data"),
    (b"A\n2\n", "r-data"),
    (b"A\n3\n", "r-data"),
    (b"%PDF-", "pdf"),
    (b"\x89PNG\r\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"GGUF", "gguf"),
    (b"CBM1", "catboost"),
    (b"Rar!", "archive"),
    (b"7z\xbc\xaf'\x1c", "archive"),
    (b"ZF0x", "joblib"),
    (b"\x04\x22\x4d\x18", "compressed"),
    (b"\x28\xb5\x2f\xfd", "compressed"),
    (b"\x1f\x9d", "compressed"),
    (b"LZIP", "compressed"),
)
#: Beginnings of pickles of the protocols 0 and 1, which have no mark of their own.
_OLD_PICKLE = re.compile(
    rb"\A(?:\(lp\d+\n|\(dp\d+\n|\(i[\w.]+\n[\w.]+\n|[\]\})](?:q.|[.(cX\]\}])|"
    rb"\(?c[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n(?:p\d+\n|q.|[(\])}\x80-\xff]))",
    re.DOTALL,
)
_OBJECTS = re.compile(rb"""['"][<>=|]?O\d*['"]""")
_NAMES_OF_PICKLES = frozenset(
    {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".dill", ".cloudpickle", ".keras"}
)
_WORD = re.compile(r"[A-Za-z]")


def recognise(read: Read, size: int, name: str = "") -> Format:
    """The format of ``size`` bytes; ``read(start, stop)`` gives some of them."""
    if size == 0:
        return BY_KEY["empty"]
    head = read(0, min(HEAD, size))
    tail = read(max(0, size - TAIL), size)
    key = _by_bytes(head, tail, size, read)
    found = BY_KEY[key]
    suffix = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    if key in ("unknown", "text") and suffix in _NAMES_OF_PICKLES:
        return BY_KEY["pickle"]
    return found


def _by_bytes(head: bytes, tail: bytes, size: int, read: Read) -> str:
    if (pickled := _pickle(head, tail)) is not None:
        return pickled
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _zip(read, size)
    if head.startswith(b"\x93NUMPY"):
        return "npy-objects" if _OBJECTS.search(head[:4096]) else "npy"
    for magic, key in _MAGIC:
        if head.startswith(magic):
            return key
    if (unpack := _unpacker(head)) is not None:
        return _compressed(unpack, head)
    if _is_hdf5_further_on(head):
        return "hdf5"
    if head[257:262] == b"ustar":
        return "tar"
    if head[2:4] == b"\r\n" and head[1:2] == b"\r" and size > 16:
        return "bytecode"
    if head[4:8] == b"TFL3":
        return "tflite"
    if _is_safetensors(head, size):
        return "safetensors"
    if head[:1] == b"{" and b"learner" in head[:64] and b"\x00" in head[:64]:
        return "xgboost-ubj"
    if _is_onnx(head):
        return "onnx"
    return _text(head, whole=size <= len(head))


def _pickle(head: bytes, tail: bytes) -> str | None:
    """Which pickle it is, if it is one."""
    marked = head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    if not marked and not (_OLD_PICKLE.match(head) and tail.endswith(b".")):
        return None
    if head[2:15] == b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.":
        return "torch"
    if b"joblib" in head:
        return "joblib"
    return "cloudpickle" if b"cloudpickle" in head else "pickle"


def _zip(read: Read, size: int) -> str:
    try:
        found = members(read, size)
    except BadZip:
        return "zip"
    names = {member.name for member in found}
    plain = {name.rpartition("/")[2] for name in names}
    tests: Sequence[tuple[str, Callable[[], bool]]] = (
        ("torchscript", lambda: "constants.pkl" in plain),
        ("torch", lambda: "data.pkl" in plain),
        ("keras", lambda: "config.json" in names and any("weights" in name for name in names)),
        ("wheel", lambda: any(".dist-info/" in name for name in names)),
        ("jar", lambda: "META-INF/MANIFEST.MF" in names),
        ("npz", lambda: bool(names) and all(name.endswith(".npy") for name in names)),
        ("python-zip", lambda: "__main__.py" in names),
        ("skops", lambda: "schema.json" in names),
        ("joblib", lambda: _holds_pickles(found)),
    )
    return next((key for key, is_it in tests if is_it()), "zip")


def _holds_pickles(found: Sequence[Member]) -> bool:
    return any(PurePosixPath(member.name).suffix in _NAMES_OF_PICKLES for member in found)


def _unpacker(head: bytes) -> Callable[[bytes], bytes] | None:
    """What would unpack the first bytes, if they look compressed."""
    if head.startswith(b"\x1f\x8b"):
        return lambda raw: zlib.decompressobj(31).decompress(raw, _PEEK)
    if head[:1] == b"\x78" and len(head) > 2 and (head[0] * 256 + head[1]) % 31 == 0:
        return lambda raw: zlib.decompressobj().decompress(raw, _PEEK)
    if head.startswith(b"BZh"):
        return lambda raw: bz2.BZ2Decompressor().decompress(raw, _PEEK)
    if head.startswith((b"\xfd7zXZ\x00", b"\x5d\x00\x00")):
        return lambda raw: lzma.LZMADecompressor(memlimit=_XZ_MEMORY).decompress(raw, _PEEK)
    return None


def _compressed(unpack: Callable[[bytes], bytes], head: bytes) -> str:
    """A compressed pickle is what joblib writes; text stays text; the rest is not known."""
    try:
        inside = unpack(head)
    except (OSError, ValueError, EOFError, zlib.error, lzma.LZMAError):
        return _text(head, whole=False) if head[:1] == b"\x78" else "compressed"
    if inside[:1] == b"\x80" or _OLD_PICKLE.match(inside):
        return "joblib"
    if inside.startswith((b"RDX", b"X\n\x00", b"A\n")):
        return "r-data"
    if inside[:1] == b"\x93" or b"\x00" in inside or not inside:
        return "compressed"
    return "archive" if _text(inside, whole=False) in ("text", "csv", "json") else "compressed"


def _is_hdf5_further_on(head: bytes) -> bool:
    at = 512
    while at < len(head):
        if head[at : at + 8] == b"\x89HDF\r\n\x1a\n":
            return True
        at *= 2
    return False


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:8], "little")
    return len(head) > 10 and head[8:10] in (b'{"', b"{}") and 2 <= length <= size - 8


def _is_onnx(head: bytes) -> bool:
    """Whether these are the fields of a ModelProto, in the order that everybody writes them."""
    at, seen = 0, set()
    if head[:1] != b"\x08":
        return False
    while at < len(head) and 7 not in seen:
        tag, at = _varint(head, at)
        field, kind = tag >> 3, tag & 7
        if field not in (1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26) or kind not in (0, 2):
            return False
        seen.add(field)
        value, at = _varint(head, at)
        if field == 1 and not 1 <= value <= 64:
            return False
        if kind == 2:
            at += value
    return {1, 7} <= seen


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(raw) and shift < 64:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, at


def _text(head: bytes, *, whole: bool) -> str:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # Only the last character may be cut, and only where the file goes on.
        if whole or error.start < len(head) - 4:
            return "unknown"
        text = head[: error.start].decode("utf-8")
    if any(ord(char) < 32 and char not in "\t\n\r\f" for char in text):
        return "unknown"
    stripped = text.lstrip("\ufeff \t\r\n")
    lower = stripped[:512].lower()
    if stripped.startswith("tree\n") and "version=v" in stripped[:200]:
        return "lightgbm"
    if stripped[:1] in "{[" and stripped[:1]:
        return _json(stripped, whole=whole)
    if lower.startswith(("<!doctype html", "<html")):
        return "html"
    if lower.startswith("<"):
        return "pmml" if "<pmml" in lower else "xml"
    return "csv" if _is_csv(text) else "text"


def _json(text: str, *, whole: bool) -> str:
    start = text[:4096]
    if '"learner"' in start and ('"gradient_booster"' in text or '"attributes"' in start):
        return "xgboost-json"
    if whole and not _parses(text):
        return "text"
    return "json"


def _parses(text: str) -> bool:
    """Whether it is JSON, or one JSON value a line."""
    try:
        json.loads(text, parse_constant=_nothing)
    except (ValueError, RecursionError):
        try:
            json.loads(text.splitlines()[0], parse_constant=_nothing)
        except (ValueError, RecursionError):
            return False
    return True


def _nothing(_: str) -> Any:
    return None


def _is_csv(text: str) -> bool:
    lines = [line for line in text.splitlines()[:20] if line.strip()][:-1] or text.splitlines()[:1]
    for mark in (",", ";", "\t"):
        counts = {line.count(mark) for line in lines}
        if len(lines) > 1 and len(counts) == 1 and counts != {0} and _WORD.search(lines[0]):
            return True
    return False
