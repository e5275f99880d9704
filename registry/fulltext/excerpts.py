"""The piece of a text where the words stand, in segments that a template marks. Pure.

Nothing here makes markup: a segment is text and whether it is a hit, and templates escape it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Segment:
    text: str
    hit: bool


def excerpt(
    text: str,
    words: Sequence[str],
    stems: Mapping[str, str] | None = None,
    *,
    width: int = 160,
    always: bool = False,
) -> list[Segment]:
    """About ``width`` characters of the text around the first hit, hits marked.

    Args:
        words: in lower case; a word of the text is a hit when it begins with one of them.
        stems: by word, what it is also found by.
        always: give the beginning of the text when nothing in it is a hit, instead of nothing.
    Returns: segments whose texts, joined, are a piece of ``text`` with its blanks folded; an
        ellipsis stands where something is left out.
    """
    folded = " ".join(text.split())
    starts = _beginnings(words, stems or {})
    hits = [found.span() for found in _WORD.finditer(folded) if _is_hit(found[0], starts)]
    if not hits and not always:
        return []
    begin, end = _window(folded, hits[0][0] if hits else 0, width)
    segments = [Segment("… ", False)] if begin else []
    at = begin
    for start, stop in hits:
        if start < at or stop > end:
            continue
        if start > at:
            segments.append(Segment(folded[at:start], False))
        segments.append(Segment(folded[start:stop], True))
        at = stop
    if at < end:
        segments.append(Segment(folded[at:end], False))
    if end < len(folded):
        segments.append(Segment(" …", False))
    return segments


def _beginnings(words: Sequence[str], stems: Mapping[str, str]) -> tuple[str, ...]:
    found = [word for word in words if word]
    found += [stem for word in words if len(stem := stems.get(word, "")) >= _FEWEST]
    return tuple(dict.fromkeys(found))


def _is_hit(word: str, starts: tuple[str, ...]) -> bool:
    lowered = word.lower()
    # One letter matches itself alone, as in the search.
    return any(
        lowered == start or (len(start) > 1 and lowered.startswith(start)) for start in starts
    )


def _window(text: str, hit: int, width: int) -> tuple[int, int]:
    if len(text) <= width:
        return 0, len(text)
    begin = max(0, min(hit - width // 4, len(text) - width))
    if begin:
        blank = text.find(" ", begin, hit)
        begin = blank + 1 if blank >= 0 else begin
    end = min(len(text), begin + width)
    if end < len(text):
        blank = text.rfind(" ", begin + width // 2, end)
        end = blank if blank > hit else end
    return begin, end
