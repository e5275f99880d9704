"""Cards of a version's page: lineage, whether its data fits, pages elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from accounts.roles import Capability
from registry import checks, lineage, lineage_picture
from registry.forms_lineage import LinkForm

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import ModelVersion, RegisteredModel

_COLUMNS = 50


class LineagePart:
    """What it came from and what came of it, as a picture and as a table."""

    template = "registry/_lineage_card.html"

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        if version is None:
            return None
        graph = lineage.graph(version)
        wide = lineage_picture.wide(graph)
        datasets = {it.dataset_id: it.dataset for it in version.datasets.select_related("dataset")}
        return {
            "version": version,
            "graph": graph,
            "wide": wide,
            "narrow": lineage_picture.narrow(graph),
            "left_out": wide.left_out,
            "schemas": [
                {
                    "name": it.name,
                    "label": f"Columns of {it.name}",
                    "columns": it.columns[:_COLUMNS],
                    "more": max(0, len(it.columns) - _COLUMNS),
                    "url": reverse("registry:dataset-detail", args=[it.name]),
                }
                for it in datasets.values()
            ],
        }


class SignaturePart:
    """Its signature against its datasets and endpoints."""

    template = "registry/_signature_card.html"

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        if version is None:
            return None
        found = checks.checks(version)
        undeclared = not checks.inputs_of(version)
        if not found and not undeclared:
            return None  # nothing to check it against yet
        return {"checks": found, "undeclared": undeclared}


class LinksPart:
    """Pages elsewhere about it, shown inert."""

    template = "registry/_links_card.html"

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        if version is None:
            return None
        may_edit = caller.may(Capability.MODEL_EDIT)
        links = list(version.links.all())
        if not links and not may_edit:
            return None
        # A form that was refused is put there by the view, with what was typed in.
        form = getattr(version, "link_form", None) or LinkForm(auto_id="link_%s")
        return {"version": version, "links": links, "form": form, "may_edit": may_edit}
