"""Where the boxes and arrows of a lineage picture stand (pure): wide, and narrow for a phone.

Two drawings of one graph; which is shown is for the style sheet. Lengths are in the picture's own
unit, about a pixel. Text is cut to what fits its box; the whole stands in the box's title and in
the table beside the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry.lineage import Node

if TYPE_CHECKING:
    from registry.lineage import Graph

#: Boxes on one side of the picture; the others are in the table.
MOST_BOXES = 8
HEIGHT = 54
GAP = 14
_CHARACTER = 8.6
#: Of a text that is cut, so many characters of its end stay: a version's number stands there.
_END = 7


@dataclass(frozen=True, slots=True)
class Box:
    """A node at its place; ``text`` is its label, cut."""

    node: Node
    x: int
    y: int
    width: int
    height: int
    text: str
    is_centre: bool = False

    @property
    def text_x(self) -> int:
        return self.x + 12

    @property
    def small_y(self) -> int:
        return self.y + 20

    @property
    def label_y(self) -> int:
        return self.y + 41


@dataclass(frozen=True, slots=True)
class Picture:
    """One drawing: boxes in reading order, and the arrows' paths."""

    width: int
    height: int
    boxes: list[Box]
    arrows: list[str]
    left_out: int

    @property
    def view_box(self) -> str:
        return f"-2 -2 {self.width + 4} {self.height + 4}"


def wide(graph: Graph) -> Picture:
    """Three columns: what it came from, the version, what came of it."""
    before, after = graph.before[:MOST_BOXES], graph.after[:MOST_BOXES]
    rows = max(len(before), len(after), 1)
    height = rows * HEIGHT + (rows - 1) * GAP
    columns = [(0, 218), (254, 218), (508, 218)]

    def stack(nodes: Sequence[Node], column: int) -> list[Box]:
        x, width = columns[column]
        used = len(nodes) * HEIGHT + (len(nodes) - 1) * GAP
        top = (height - used) // 2
        return [_box(it, x, top + i * (HEIGHT + GAP), width) for i, it in enumerate(nodes)]

    left, right = stack(before, 0), stack(after, 2)
    centre = _box(graph.centre, columns[1][0], (height - HEIGHT) // 2, columns[1][1], True)
    arrows = [_across(it, centre) for it in left] + [_across(centre, it) for it in right]
    return Picture(726, height, [*left, centre, *right], arrows, _left_out(graph))


def narrow(graph: Graph) -> Picture:
    """One column: before above, after below."""
    before, after = graph.before[:MOST_BOXES], graph.after[:MOST_BOXES]
    width, y, boxes, arrows = 300, 0, [], []
    for node in before:
        boxes.append(_box(node, 0, y, width))
        y += HEIGHT + 6
    if before:
        y += 30
        arrows.append(_down(width // 2, y - 36, y))
    boxes.append(_box(graph.centre, 0, y, width, True))
    y += HEIGHT
    if after:
        arrows.append(_down(width // 2, y, y + 36))
        y += 36
        for node in after:
            boxes.append(_box(node, 0, y, width))
            y += HEIGHT + 6
        y -= 6
    return Picture(width, y, boxes, arrows, _left_out(graph))


def _left_out(graph: Graph) -> int:
    sides = (graph.before, graph.after)
    return graph.more + sum(max(0, len(side) - MOST_BOXES) for side in sides)


def _box(node: Node, x: int, y: int, width: int, is_centre: bool = False) -> Box:
    fits = int((width - 24) / _CHARACTER)
    text = node.label
    if len(text) > fits:
        text = f"{text[: fits - _END - 1]}…{text[-_END:]}"
    return Box(node, x, y, width, HEIGHT, text, is_centre)


def _across(start: Box, end: Box) -> str:
    x1, y1 = start.x + start.width, start.y + start.height // 2
    x2, y2 = end.x - 8, end.y + end.height // 2
    middle = (x1 + x2) // 2
    return f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"


def _down(x: int, y1: int, y2: int) -> str:
    return f"M{x} {y1}L{x} {y2 - 8}"
