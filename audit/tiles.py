"""Complete subtrees out of the stored leaves and every eighth level of nodes.

A tile is 256 neighbouring hashes of one stored level; whatever lies between two stored levels is
computed from one tile: a proof reads at most 256 rows per eight levels, whatever the trail's size.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from audit import merkle
from audit.models import Leaf, Node

TILE_LEVELS = 8
TILE_WIDTH = 1 << TILE_LEVELS
CACHED_TILES = 64


class MissingHash(LookupError):
    """A stored leaf or node that the tree needs is not there."""


class Tiles:
    """Answers ``subtree(level, index)`` from the database, keeping the last tiles it read.

    One instance serves one size of the tree: leaves that are added later may be missing from it.
    """

    def __init__(self) -> None:
        self._cache: OrderedDict[tuple[int, int], dict[tuple[int, int], bytes]] = OrderedDict()

    def subtree(self, level: int, index: int) -> bytes:
        """Hash of the complete subtree.

        Raises: MissingHash when rows are missing; they are never missing in a whole trail.
        """
        base, inner = level - level % TILE_LEVELS, level % TILE_LEVELS
        tile = self._tile(base, index >> (TILE_LEVELS - inner))
        try:
            return tile[inner, index]
        except KeyError:
            raise MissingHash(f"subtree {level}/{index} is not whole") from None

    def _tile(self, base: int, number: int) -> dict[tuple[int, int], bytes]:
        key = (base, number)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        first = number * TILE_WIDTH
        tile: dict[tuple[int, int], bytes] = {}
        row = _stored(base, first, first + TILE_WIDTH)
        for inner in range(TILE_LEVELS):
            tile.update({(inner, index): value for index, value in row.items()})
            row = {
                index >> 1: merkle.node_hash(value, row[index + 1])
                for index, value in row.items()
                if not index & 1 and index + 1 in row
            }
        self._cache[key] = tile
        if len(self._cache) > CACHED_TILES:
            self._cache.popitem(last=False)
        return tile


def _stored(base: int, first: int, end: int) -> dict[int, bytes]:
    rows: Iterable[tuple[int, bytes | memoryview]]
    if base == 0:
        rows = Leaf.objects.filter(leaf_index__gte=first, leaf_index__lt=end).values_list(
            "leaf_index", "leaf_hash"
        )
    else:
        rows = Node.objects.filter(level=base, index__gte=first, index__lt=end).values_list(
            "index", "hash"
        )
    return {index: bytes(value) for index, value in rows}


def is_stored(level: int) -> bool:
    """Whether nodes of this level have rows (leaves have their own table)."""
    return level > 0 and level % TILE_LEVELS == 0
