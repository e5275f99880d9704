"""What a signature covers, as canonical content and one digest over it. Pure: no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from common.canonical import canonical_json, digest_of, floats_to_text, sha256_hex

DIGEST_VERSION = 1


def content(
    *,
    release_digest: str,
    environment: str,
    policy_digest: str,
    evidence_digests: Iterable[str],
    plan: Mapping[str, Any],
    authors: Iterable[str],
    meanings: Mapping[str, Sequence[str]],
    card_digest: str = "",
) -> str:
    """The canonical JSON that is signed (DESIGN 2); two equal requests give equal text.

    Args:
        authors: pids of known people, identities of unmapped ones.
        meanings: what was offered to sign, by role.
        card_digest: of the card's present revision; a version without a card names none.
    """
    parts: dict[str, Any] = {
        "digest_version": DIGEST_VERSION,
        "release": release_digest,
        "environment": environment,
        "policy": policy_digest,
        "evidence": sorted(set(evidence_digests)),
        "plan": digest_of(floats_to_text(plan)),
        "authors": sorted(set(authors)),
        "meanings": {role: list(texts) for role, texts in meanings.items()},
    }
    if card_digest:
        parts["card"] = card_digest
    return canonical_json(parts)


def digest(text: str) -> str:
    """The request digest: what a signature names."""
    return sha256_hex(text)
