"""YAML (and so JSON) as plain data, with the line on which each part stands. Pure.

Only what JSON can say is accepted: no tags, no anchors, no merge keys, text keys only. So nothing
that is written becomes an object, and no small text unfolds into a big one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_BYTES = 64 * 1024
MAX_DEPTH = 12

Path = tuple[str | int, ...]


class YamlError(ValueError):
    """The text is not YAML that we read; ``line`` is where, counted from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(f"line {line}: {message}")
        self.message = message
        self.line = line


@dataclass(slots=True)
class Document:
    """The data, and the line of every path in it."""

    data: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """The line of ``path``, or of the nearest part around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


_TAGS = {
    "tag:yaml.org,2002:str",
    "tag:yaml.org,2002:int",
    "tag:yaml.org,2002:float",
    "tag:yaml.org,2002:bool",
    "tag:yaml.org,2002:null",
    "tag:yaml.org,2002:timestamp",
}


def read(text: str) -> Document:
    """Parse ``text``.

    Raises: YamlError with a line.
    """
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise YamlError(f"a policy has at most {MAX_BYTES // 1024} KiB", 1)
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken)):
                raise YamlError(
                    "anchors, aliases and tags are not used here", token.start_mark.line + 1
                )
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(error.problem or "not YAML", mark.line + 1 if mark else 1) from None
    except yaml.YAMLError as error:
        raise YamlError(str(error).splitlines()[0], 1) from None
    except RecursionError:
        raise YamlError("nested too deeply", 1) from None
    document = Document(None)
    if node is not None:
        document.data = _value(node, (), document.lines)
    return document


def _value(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if len(path) > MAX_DEPTH:
        raise YamlError("nested too deeply", line)
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                raise YamlError("a key is a word", key_node.start_mark.line + 1)
            if key in result:
                raise YamlError(f"“{key}” stands here twice", key_node.start_mark.line + 1)
            lines[(*path, key)] = key_node.start_mark.line + 1
            result[key] = _value(value_node, (*path, key), lines)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, i), lines) for i, item in enumerate(node.value)]
    if node.tag not in _TAGS:
        raise YamlError("anchors, aliases and tags are not used here", line)
    if node.tag.endswith((":str", ":timestamp")):
        return node.value
    return yaml.SafeLoader("").construct_object(node)
