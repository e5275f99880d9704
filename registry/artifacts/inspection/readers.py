"""Which reader reads which format; the libraries it needs are imported when it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import IO, Any

from registry.artifacts.inspection.errors import Unreadable

__all__ = ["Unreadable", "reader_of"]

#: What a reader gives is data about the file: numbers, short texts, lists of them.
Reader = Callable[[IO[bytes], int], dict[str, Any]]

_MODULES = {
    "onnx": "onnx_model",
    "skops": "skops_file",
    "xgboost-json": "xgboost_model",
    "xgboost-ubj": "xgboost_model",
    "lightgbm": "lightgbm_text",
    "safetensors": "safetensors_header",
    "zip": "zip_members",
}


def reader_of(name: str) -> Reader:
    """The reader of a format; KeyError where a format has none."""
    module = import_module(f"registry.artifacts.inspection.{_MODULES[name]}")
    read: Reader = module.read_ubj if name == "xgboost-ubj" else module.read
    return read
