"""The search page: one box for models, versions and datasets, with excerpts and filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.generic import TemplateView

from accounts.views.mixins import CallerMixin
from registry import selectors
from registry.fulltext import find
from registry.fulltext.words import MOST_CHARACTERS
from registry.models import Consumption, Kind, SavedView
from registry.needs import needs
from registry.views.saved import saved_views

if TYPE_CHECKING:
    from registry.fulltext.find import Candidates, Hit

PAGE = 25
FIRST = 8
WORDS = {"model": "model", "version": "version", "dataset": "dataset"}


class SearchForm(forms.Form):
    """What is looked for; every filter but the words may stay empty."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=MOST_CHARACTERS,
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": "credit “late payment” -pilot"}
        ),
    )
    what = forms.ChoiceField(
        label="In",
        required=False,
        choices=[("", "everything"), *((sort, f"{word}s") for sort, word in WORDS.items())],
    )
    kind = forms.ChoiceField(label="Kind", required=False, choices=[("", "All"), *Kind.choices])
    tier = forms.ChoiceField(
        label="Tier",
        required=False,
        choices=[("", "All"), ("1", "1, high"), ("2", "2"), ("3", "3, low")],
    )
    owner = forms.CharField(label="Owner", required=False, max_length=254)
    live = forms.ChoiceField(label="Live in", required=False)
    tag = forms.CharField(
        label="Tag",
        required=False,
        max_length=MOST_CHARACTERS,
        widget=forms.TextInput(attrs={"placeholder": "team=retail"}),
    )
    consumption = forms.ChoiceField(
        label="Consumption", required=False, choices=[("", "All"), *Consumption.choices]
    )
    needs = forms.ChoiceField(label="Needs", required=False)

    def __init__(self, *args: Any, environments: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        live = cast("forms.ChoiceField", self.fields["live"])
        lacking = cast("forms.ChoiceField", self.fields["needs"])
        live.choices = [("", "Anywhere or not"), *((name, name) for name in environments)]
        lacking.choices = [("", "Anything"), *((need.key, need.label) for need in needs())]

    def question(self) -> find.Question:
        given = {key: str(value) for key, value in self.cleaned_data.items() if value}
        text = given.pop("q", "")
        given.pop("what", None)
        return find.Question(text, given)


@dataclass(frozen=True, slots=True)
class Section:
    """What was found of one sort; ``page`` is set where it can be paged through."""

    sort: str
    word: str
    found: Candidates
    hits: list[Hit]
    page: Any = None

    @property
    def more(self) -> bool:
        return self.page is None and self.found.total > len(self.hits)


class SearchView(CallerMixin, TemplateView):
    """Results by sort, the best first."""

    template_name = "registry/search.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        workspace = self.caller.workspace
        names = [it.name for it in selectors.environments(workspace)]
        form = SearchForm(request.GET, environments=names)
        if not form.is_valid():
            return self.render_to_response({"form": form, "sections": []}, status=422)
        question = form.question()
        what = form.cleaned_data["what"]
        sections = [
            self._section(question, sort, what) for sort in find.SORTS if not what or what == sort
        ]
        return self.render_to_response(
            {
                "form": form,
                "question": question,
                "what": what,
                "sections": sections,
                "found_any": any(it.found.total for it in sections),
                "capped": any(it.found.capped for it in sections),
                "beyond": any(it.found.total > find.MOST for it in sections),
                "most": find.MOST,
                "saved": saved_views(self.caller, SavedView.Page.SEARCH, request.GET),
            }
        )

    def _section(self, question: find.Question, sort: str, what: str) -> Section:
        workspace = self.caller.workspace
        found = find.candidates(workspace, question, sort)
        if what != sort:
            hits = find.load(workspace, question, sort, found.ranked[:FIRST])
            return Section(sort, WORDS[sort], found, hits)
        page = Paginator(found.ranked, PAGE).get_page(self.request.GET.get("page"))
        hits = find.load(workspace, question, sort, list(page.object_list))
        return Section(sort, WORDS[sort], found, hits, page)
