"""The formats a file may have, and what is true of each (pure)."""

from __future__ import annotations

from dataclasses import dataclass

#: What is said of every file whose loading runs code of whoever made it.
EXECUTABLE = "Executable format: stored, never opened. Loading it runs code of whoever made it."


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        key: what is stored with the artifact, at most 32 characters.
        label: for people.
        is_executable: loading it with its usual library runs code that the file brings along.
        is_inspected: a limited subprocess reads what it says of itself.
    """

    key: str
    label: str
    is_executable: bool = False
    is_inspected: bool = False


_ALL = (
    Format("onnx", "ONNX", is_inspected=True),
    Format("skops", "skops", is_inspected=True),
    Format("xgboost-json", "XGBoost JSON", is_inspected=True),
    Format("xgboost-ubj", "XGBoost UBJ", is_inspected=True),
    Format("lightgbm", "LightGBM text", is_inspected=True),
    Format("safetensors", "safetensors", is_inspected=True),
    Format("zip", "Zip archive", is_inspected=True),
    Format("pickle", "Python pickle", is_executable=True),
    Format("joblib", "joblib", is_executable=True),
    Format("cloudpickle", "cloudpickle", is_executable=True),
    Format("torch", "PyTorch", is_executable=True),
    Format("torchscript", "TorchScript", is_executable=True),
    Format("keras", "Keras", is_executable=True),
    Format("hdf5", "HDF5", is_executable=True),
    Format("npy-objects", "NumPy array of Python objects", is_executable=True),
    Format("npz", "NumPy archive", is_executable=True),
    Format("r-data", "R data", is_executable=True),
    Format("java", "Java serialised object", is_executable=True),
    Format("jar", "Java archive", is_executable=True),
    Format("wheel", "Python wheel", is_executable=True),
    Format("python-zip", "Python program in a zip", is_executable=True),
    Format("bytecode", "Python bytecode", is_executable=True),
    Format("program", "Program", is_executable=True),
    Format("compressed", "Compressed, content unknown", is_executable=True),
    Format("npy", "NumPy array"),
    Format("parquet", "Parquet"),
    Format("csv", "CSV"),
    Format("json", "JSON"),
    Format("xml", "XML"),
    Format("pmml", "PMML"),
    Format("html", "HTML"),
    Format("tflite", "TensorFlow Lite"),
    Format("gguf", "GGUF"),
    Format("catboost", "CatBoost"),
    Format("tar", "Tar archive"),
    Format("archive", "Archive"),
    Format("pdf", "PDF"),
    Format("image", "Image"),
    Format("text", "Text"),
    Format("empty", "Empty"),
    Format("unknown", "Unknown"),
)
BY_KEY = {one.key: one for one in _ALL}
UNKNOWN = BY_KEY["unknown"]


def format_of(key: str) -> Format:
    """The format of that key; unknown for one that a later release may have known."""
    return BY_KEY.get(key, UNKNOWN)
