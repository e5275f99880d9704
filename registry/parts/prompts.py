"""A prompt's own card: its text, its variables, and what changed since the version before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from registry import prompts
from registry.models import ModelVersion

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import RegisteredModel


class PromptPart:
    """Shown wherever a version's tags hold a prompt; the text is text, whatever stands in it."""

    template = "registry/_prompt_card.html"

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        prompt = prompts.parse(version.tags) if version is not None else None
        if version is None or prompt is None:
            return None
        before = (
            ModelVersion.objects.filter(model=model, number__lt=version.number, deleted_at=None)
            .order_by("-number")
            .first()
        )
        earlier = prompts.parse(before.tags) if before is not None else None
        changes = prompts.compare(earlier.text, prompt.text) if earlier is not None else []
        was = dict(earlier.config) if earlier is not None else {}
        return {
            "version": version,
            "prompt": prompt,
            "turns": [(it.role, prompts.pieces(it.content)) for it in prompt.messages],
            "before": before if earlier is not None else None,
            "changes": changes,
            "changes_label": prompts.label(changes),
            "new_variables": [
                it for it in prompt.variables if earlier and it not in earlier.variables
            ],
            "gone_variables": [
                it for it in (earlier.variables if earlier else ()) if it not in prompt.variables
            ],
            "config": [
                (key, value, was.get(key, "") if earlier is not None else value)
                for key, value in prompt.config
            ],
            "is_covered": "prompt_text_sha256" in (version.release.get("extra") or {}),
        }
