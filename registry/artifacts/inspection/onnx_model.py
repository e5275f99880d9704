"""What an ONNX model says of itself; its weights are not touched and nothing is run."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any

import onnx
from google.protobuf.message import DecodeError

from registry.artifacts.inspection.errors import Unreadable

#: Protobuf itself ends at 2 GB.
MAX_BYTES = 1024**3
MAX_COLUMNS = 2000
_MAX_DEPTH = 50
#: Operators that every ONNX runtime brings along; all others are somebody's own code.
_KNOWN_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training"}
_TYPES = {
    1: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    8: "string", 9: "boolean", 10: "float16", 11: "double", 12: "uint32", 13: "uint64",
    16: "bfloat16",
}  # fmt: skip


def read(file: IO[bytes], size: int) -> dict[str, Any]:
    """Operator sets, inputs, outputs, nodes. Raises: Unreadable, also for external data."""
    if size > MAX_BYTES:
        raise Unreadable("An ONNX file of more than 1 GB is not inspected.", code="too_large")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(file.read(size))
    except DecodeError:
        raise Unreadable("This is no ONNX model, or a damaged one.") from None
    graph = model.graph
    if not model.ir_version or not model.opset_import or not graph.output:
        raise Unreadable("This is no whole ONNX model: it has no graph with an output.")
    graphs = list(_graphs(model))
    external = sum(_is_external(tensor) for tensor in _tensors(model, graphs))
    if external:
        raise Unreadable(
            f"{external} of its tensors lie in other files (external data), which are never "
            "followed. Save the model in one file.",
            code="external_data",
        )
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [_column(it) for it in graph.input if it.name not in weights][:MAX_COLUMNS]
    outputs = [_column(it) for it in graph.output][:MAX_COLUMNS]
    operators = Counter(_text(node.op_type) for one in graphs for node in one.node)
    return {
        "ir_version": model.ir_version,
        "operator_sets": [
            {"domain": _text(it.domain) or "ai.onnx", "version": it.version}
            for it in model.opset_import
        ][:50],
        "producer": f"{_text(model.producer_name)} {_text(model.producer_version)}".strip(),
        "graph": _text(graph.name),
        "nodes": sum(operators.values()),
        "operators": dict(operators.most_common(30)),
        "custom_domains": sorted(
            {_text(node.domain) for one in graphs for node in one.node}
            - _KNOWN_DOMAINS
            - {_text(function.domain) for function in model.functions}
        )[:20],
        "functions": len(model.functions),
        "initializers": len(graph.initializer),
        "parameters": sum(math.prod(tensor.dims) for tensor in graph.initializer),
        "metadata": {_text(it.key): _text(it.value) for it in list(model.metadata_props)[:20]},
        "inputs": inputs,
        "outputs": outputs,
        "signature": {
            "inputs": [{"name": it["name"], "type": _said(it), "required": True} for it in inputs],
            "outputs": [{"name": it["name"], "type": _said(it)} for it in outputs],
        },
    }


def _text(value: str | bytes) -> str:
    """What protobuf gives for a text: bytes, where it is no UTF-8."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _graphs(model: onnx.ModelProto) -> Iterator[Any]:
    """The graph, those inside its nodes, and the bodies of functions (which have nodes too)."""
    waiting: list[tuple[Any, int]] = [(model.graph, 0)]
    waiting += [(function, 0) for function in model.functions]
    waiting += [(it.algorithm, 0) for it in model.training_info]
    while waiting:
        graph, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise Unreadable("Its graphs are nested too deeply.", code="too_deep")
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    waiting.append((attribute.g, depth + 1))
                waiting += [(inner, depth + 1) for inner in attribute.graphs]


def _tensors(model: onnx.ModelProto, graphs: list[Any]) -> Iterator[Any]:
    for graph in graphs:
        if isinstance(graph, onnx.GraphProto):
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                for sparse in [attribute.sparse_tensor, *attribute.sparse_tensors]:
                    yield from (sparse.values, sparse.indices)


def _is_external(tensor: Any) -> bool:
    return tensor.data_location == onnx.TensorProto.EXTERNAL or bool(tensor.external_data)


def _column(info: Any) -> dict[str, Any]:
    kind = info.type.WhichOneof("value") or "unknown"
    found: dict[str, Any] = {"name": _text(info.name), "kind": kind.removesuffix("_type")}
    if kind in ("tensor_type", "sparse_tensor_type"):
        tensor = getattr(info.type, kind)
        found["type"] = _TYPES.get(tensor.elem_type, f"type {tensor.elem_type}")
        if tensor.HasField("shape"):
            found["shape"] = [_dimension(it) for it in list(tensor.shape.dim)[:16]]
    return found


def _dimension(dim: Any) -> Any:
    with contextlib.suppress(ValueError):
        if dim.HasField("dim_value"):
            return dim.dim_value
    return _text(dim.dim_param)[:40] or "?"


def _said(column: dict[str, Any]) -> str:
    """One type as a signature has it: ``float`` for a column, ``tensor(float)[?,30]`` for more."""
    kind, shape = column.get("type", column["kind"]), column.get("shape")
    if shape is None:
        return f"{column['kind']}({kind})"[:64]
    rows = [it for it in shape[1:] if it != 1]
    if not rows:
        return str(kind)[:64]
    sides = ",".join("?" if isinstance(it, str) else str(it) for it in shape)
    return f"tensor({kind})[{sides}]"[:64]
