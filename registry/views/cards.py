"""A version's model card: read it, write it section by section, see what it said before."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import Conflict, DomainError
from registry import cards as card_text
from registry import selectors, selectors_cards
from registry.markdown import render as rendered
from registry.models import CardRevision, ModelVersion
from registry.services import cards
from registry.views.common import found_or_404, put_beside

MOST_REVISIONS = 50


class SectionForm(forms.Form):
    text = forms.CharField(
        max_length=card_text.MAX_SECTION,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "true"}),
        help_text="Markdown. HTML is shown as text, and pictures are not shown.",
    )
    seen = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)


class CardView(CallerMixin, TemplateView):
    """The whole card, what it lacks, and who wrote it when."""

    template_name = "registry/card_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        version = _version(self.caller, kwargs["name"], kwargs["number"])
        card = selectors_cards.card_of(version)
        may_edit = self.caller.may(Capability.MODEL_EDIT)
        return {
            "model": version.model,
            "version": version,
            "card": card,
            "sections": shown(version, card),
            "missing": selectors_cards.missing(version, card),
            "history": list(selectors_cards.revisions(version)[:MOST_REVISIONS]),
            "may_edit": may_edit,
            "previous": (
                selectors_cards.previous_card(version) if may_edit and card is None else None
            ),
        }


class SectionEditView(CallerMixin, TemplateView):
    """Write one section; a look at how it will read first, when wanted."""

    template_name = "registry/card_section.html"
    capability = Capability.MODEL_EDIT

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        version, section = self._place(**kwargs)
        card = selectors_cards.card_of(version)
        form = SectionForm(
            initial={
                "text": card.sections.get(section.key, "") if card is not None else "",
                "seen": card.number if card is not None else 0,
            }
        )
        return self._page(version, section, form)

    def post(self, request: HttpRequest, name: str, number: int, key: str) -> HttpResponse:
        version, section = self._place(name=name, number=number, key=key)
        form = SectionForm(request.POST)
        if not form.is_valid():
            return self._page(version, section, form, status=422)
        text = form.cleaned_data["text"]
        if "preview" in request.POST:
            preview = rendered(text)
            if getattr(request, "htmx", False):
                part = {"preview": preview, "section": section}
                return render(request, "registry/_card_preview.html", part)
            return self._page(version, section, form, preview=preview)
        card = selectors_cards.card_of(version)
        sections = {**(card.sections if card is not None else {}), section.key: text}
        try:
            cards.revise(
                caller=self.caller,
                version=version,
                sections=sections,
                seen=form.cleaned_data["seen"],
            )
        except Conflict as error:
            # What was typed stays; beside it stands what somebody else wrote meanwhile.
            theirs = card.sections.get(section.key, "") if card is not None else ""
            return self._page(
                version, section, form, status=409, problem=error, theirs=theirs, card=card
            )
        except DomainError as error:
            problem = put_beside(form, error)
            return self._page(version, section, form, status=409, problem=problem)
        messages.success(request, f"{section.title} is written.")
        return redirect(f"{reverse('registry:card', args=[name, number])}#{section.key}")

    def _place(self, *, name: str, number: int, key: str) -> tuple[ModelVersion, card_text.Section]:
        version = _version(self.caller, name, number)
        section = card_text.BY_KEY.get(key)
        if section is None or not section.is_for(version.model.kind):
            raise Http404(f"No card has a section “{key[:50]}”.")
        return version, section

    def _page(
        self,
        version: ModelVersion,
        section: card_text.Section,
        form: SectionForm,
        status: int = 200,
        **extra: Any,
    ) -> HttpResponse:
        model = version.model
        context = {
            "model": model,
            "version": version,
            "section": section,
            "is_required": section.is_required(model.tier, model.kind),
            "form": form,
            **extra,
        }
        return self.render_to_response(context, status=status)


class CardRevisionView(CallerMixin, TemplateView):
    """One revision, and what it changed against the one before it."""

    template_name = "registry/card_revision.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        version = _version(self.caller, kwargs["name"], kwargs["number"])
        revision: CardRevision = found_or_404(
            lambda: selectors_cards.get_revision(version, kwargs["revision"])
        )
        before = (
            selectors_cards.get_revision(version, revision.number - 1)
            if revision.number > 1
            else None
        )
        return {
            "model": version.model,
            "version": version,
            "revision": revision,
            "before": before,
            "changes": card_text.diff(
                before.sections if before is not None else {}, revision.sections
            ),
        }


@require_POST
@caller_required(Capability.MODEL_EDIT)
def start(request: Any, name: str, number: int) -> HttpResponse:
    """Begin the card with the previous version's."""
    version = _version(request.caller, name, number)
    try:
        cards.start_from_previous(caller=request.caller, version=version)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "The card begins as the earlier version's. Read every section.")
    return redirect("registry:card", name=name, number=number)


def shown(version: ModelVersion, card: CardRevision | None) -> list[dict[str, Any]]:
    """The sections of this kind of model as the page shows them, empty ones too."""
    model = version.model
    written = card.sections if card is not None else {}
    return [
        {
            "section": section,
            "html": rendered(written.get(section.key, "")),
            "is_required": section.is_required(model.tier, model.kind),
        }
        # A section of the kind that the model was, before somebody changed that, is still shown.
        for section in card_text.SECTIONS
        if section.is_for(model.kind) or section.key in written
    ]


def _version(caller: Any, name: str, number: int) -> ModelVersion:
    version: ModelVersion = found_or_404(
        lambda: selectors.get_version(caller.workspace, name, number)
    )
    return version
