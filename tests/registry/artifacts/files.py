"""Small real files of the formats that are inspected, by their own libraries where we have them.

XGBoost and LightGBM are no dependencies of ours: their files are written here as these libraries
write them (XGBoost 3.0, LightGBM 4.6).
"""

from __future__ import annotations

import json
import struct
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper


@cache
def onnx_model(external: str = "", domain: str = "") -> bytes:
    """Two inputs (a table of three columns, a text), one output, weights inside or elsewhere."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 1], [0.1, 0.2, 0.3])
    if external:
        weights.ClearField("float_data")
        weights.data_location = TensorProto.EXTERNAL
        entry = weights.external_data.add()
        entry.key, entry.value = "location", external
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["m"], domain=domain),
            helper.make_node("Sigmoid", ["m"], ["score"]),
        ],
        "credit",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3]),
            helper.make_tensor_value_info("purpose", TensorProto.STRING, ["N", 1]),
        ],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N", 1])],
        initializer=[weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.producer_name = "tests"
    return bytes(model.SerializeToString())


@cache
def skops_file(trusted: bool = True) -> bytes:
    """A small pipeline; with a function of somebody's own when it is not to be trusted."""
    import skops.io
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    steps: list[Any] = [StandardScaler(), LogisticRegression()]
    if not trusted:
        steps.insert(0, FunctionTransformer(onnx.save_model))
    table = np.arange(20.0).reshape(10, 2)
    pipeline = make_pipeline(*steps)
    if trusted:
        pipeline.fit(table, table[:, 0] > 9)
    return bytes(skops.io.dumps(pipeline))


def xgboost_model() -> dict[str, Any]:
    tree = {
        "base_weights": [0.1, -0.2, 0.3], "left_children": [1, -1, -1], "id": 0,
        "right_children": [2, -1, -1], "split_indices": [1, 0, 0],
        "split_conditions": [0.5, -0.2, 0.3], "tree_param": {"num_nodes": "3"},
    }  # fmt: skip
    return {
        "learner": {
            "attributes": {"best_iteration": "1"},
            "feature_names": ["age", "income", "open_lines"],
            "feature_types": ["int", "float", "c"],
            "gradient_booster": {
                "model": {
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "2"},
                    "tree_info": [0, 0],
                    "trees": [tree, {**tree, "id": 1}],
                },
                "name": "gbtree",
            },
            "learner_model_param": {
                "base_score": "5E-1", "boost_from_average": "1", "num_class": "0",
                "num_feature": "3", "num_target": "1",
            },
            "objective": {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}},
        },
        "version": [3, 0, 2],
    }  # fmt: skip


def xgboost_json() -> bytes:
    return json.dumps(xgboost_model(), separators=(",", ":")).encode()


def xgboost_ubj() -> bytes:
    return _ubj(xgboost_model())


def _ubj(value: Any) -> bytes:
    """As XGBoost's own writer does: 64-bit lengths, typed lists of numbers."""
    if isinstance(value, str):
        return b"S" + _length(value)
    if isinstance(value, int):
        return b"L" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"d" + struct.pack(">f", value)
    if isinstance(value, dict):
        return b"{" + b"".join(_length(key) + _ubj(it) for key, it in value.items()) + b"}"
    if value and all(isinstance(it, float) for it in value):
        return b"[$d#L" + struct.pack(">q", len(value)) + struct.pack(f">{len(value)}f", *value)
    if value and all(isinstance(it, int) for it in value):
        return b"[$l#L" + struct.pack(">q", len(value)) + struct.pack(f">{len(value)}i", *value)
    return b"[#L" + struct.pack(">q", len(value)) + b"".join(_ubj(it) for it in value)


def _length(text: str) -> bytes:
    raw = text.encode()
    return b"L" + struct.pack(">q", len(raw)) + raw


def lightgbm_text() -> bytes:
    tree = """Tree={n}
num_leaves=3
num_cat=0
split_feature=0 1
split_gain=12.5 3.1
threshold=0.5 1.0000000180025095e-35
decision_type=2 2
left_child=-1 -2
right_child=1 -3
leaf_value=-0.1 0.2 0.3
shrinkage=0.1


"""
    return (
        """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=2
objective=binary sigmoid:1
feature_names=age income region
feature_infos=[18:91] [0:250000.5] 0:1:2:3
tree_sizes=215 215

"""
        + tree.format(n=0)
        + tree.format(n=1)
        + """end of trees

feature_importances:
age=2

parameters:
[boosting: gbdt]
end of parameters

pandas_categorical:null
"""
    ).encode()


def safetensors() -> bytes:
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "layer.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
            "layer.bias": {"dtype": "F16", "shape": [2], "data_offsets": [24, 28]},
        }
    ).encode()
    return struct.pack("<Q", len(header)) + header + bytes(28)


INSPECTED = {
    "onnx": onnx_model,
    "skops": skops_file,
    "xgboost-json": xgboost_json,
    "xgboost-ubj": xgboost_ubj,
    "lightgbm": lightgbm_text,
    "safetensors": safetensors,
}
