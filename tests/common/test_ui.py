"""The words and figures of pages: what they say, what they escape, and what they never break on."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from pathlib import Path
from types import SimpleNamespace

import django_tables2 as tables
import pytest
import time_machine
from django import forms
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.base import Message
from django.core.paginator import Paginator
from django.db import models
from django.template import Context, Template
from django.template.loader import get_template, render_to_string
from django.test import RequestFactory

from common.ui import bar, figures, states, times

ROOT = Path(settings.BASE_DIR)
NOON = dt.datetime(2026, 3, 20, 12, 0, tzinfo=dt.UTC)


def plain(text: str) -> str:
    """What a person reads: no tags, ordinary spaces."""
    return " ".join(re.sub(r"<[^>]+>", "", text).replace("\u00a0", " ").split())


def render(source: str, **context: object) -> str:
    return Template("{% load ui %}" + source).render(Context(context))


# --- Figures --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.246, "24.6 %"),
        (1, "100.0 %"),
        (-0.5, "−50.0 %"),
        (-0.0001, "0.0 %"),
        (None, "–"),
        (float("nan"), "–"),
        ("", "–"),
        ("no number", "–"),
        (True, "–"),
    ],
)
def test_pct_shows_a_share_and_a_dash_for_what_is_not_known(value, words):
    assert plain(figures.pct(value)) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.018, "+0.018"),
        (-0.004, "−0.004"),
        (0, "±0"),
        (-0.0000001, "±0"),
        (12, "+12"),
        (-1234.5, "−1,234"),
        (None, "–"),
        (float("inf"), "–"),
    ],
)
def test_signed_always_shows_the_direction_and_never_a_false_one(value, words):
    assert figures.signed(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (412908, "412,908"),
        (0.7744, "0.774"),
        (63.24, "63.2"),
        (4.2, "4.20"),
        (-7, "−7"),
        (None, "–"),
    ],
)
def test_num_groups_thousands_and_keeps_three_figures(value, words):
    assert figures.num(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (950, "950"),
        (999, "999"),
        (1000, "1 k"),
        (12_340, "12.3 k"),
        (412_908, "413 k"),
        (999_950, "1 M"),
        (1_240_000, "1.2 M"),
        (-20_000, "−20 k"),
        (None, "–"),
    ],
)
def test_shortnum_never_says_a_thousand_thousands(value, words):
    assert plain(figures.shortnum(value)) == words


def test_interval_gives_all_three_figures_the_same_decimals():
    assert figures.interval_filter((0.774, 0.741, 0.808)) == "0.774 [0.741, 0.808]"
    assert figures.interval_filter({"value": 63.2, "low": 58, "high": 71}) == "63.2 [58.0, 71.0]"
    assert figures.interval_filter(SimpleNamespace(value=0.5, low=0.25, high=0.75), 2) == (
        "0.50 [0.25, 0.75]"
    )


def test_interval_shows_the_figure_alone_when_its_bounds_are_not_known():
    assert figures.interval_filter((0.774, None, None)) == "0.774"
    assert figures.interval_filter(0.774) == "0.774"
    assert figures.interval_filter(None) == "–"
    assert figures.interval_filter(()) == "–"
    assert render("{% interval v low high %}", v=0.774, low=0.741, high=0.808) == (
        "0.774 [0.741, 0.808]"
    )


@pytest.mark.parametrize(
    ("count", "noun", "words"),
    [
        (1, "model", "1 model"),
        (0, "model", "0 models"),
        (12_000, "row", "12,000 rows"),
        (2, "entry,entries", "2 entries"),
        (1, "entry,entries", "1 entry"),
        (None, "model", "– models"),
    ],
)
def test_plural_says_the_count_with_its_noun(count, noun, words):
    assert plain(figures.plural(count, noun)) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.412, "412 ms"),
        (0, "0 ms"),
        (4.0, "4 s"),
        (4.26, "4.3 s"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (dt.timedelta(days=1, hours=2), "1 day 2 h"),
        (dt.timedelta(days=2, hours=3, minutes=59), "2 days 3 h"),
        (None, "–"),
    ],
)
def test_duration_names_the_two_largest_units(value, words):
    assert plain(times.duration(value)) == words


# --- Times ----------------------------------------------------------------------------------------
def test_utc_writes_a_machine_and_a_human_time():
    html = str(times.utc(dt.datetime(2026, 3, 20, 9, 12, 7, tzinfo=dt.UTC)))

    assert html.startswith('<time datetime="2026-03-20T09:12:07Z">')
    assert plain(html) == "20 Mar 2026 09:12 UTC"


def test_utc_converts_other_zones_and_takes_naive_times_for_utc():
    vienna = dt.timezone(dt.timedelta(hours=1))

    assert plain(str(times.utc(dt.datetime(2026, 3, 20, 9, 12, tzinfo=vienna)))) == (
        "20 Mar 2026 08:12 UTC"
    )
    assert plain(str(times.utc(dt.datetime(2026, 3, 20, 9, 12)))) == "20 Mar 2026 09:12 UTC"


@pytest.mark.parametrize(
    ("style", "words"),
    [
        ("short", "20 Mar 12:00 UTC"),
        ("date", "20 Mar 2026"),
        ("time", "12:00:00 UTC"),
        ("unheard-of", "20 Mar 2026 12:00 UTC"),
    ],
)
def test_utc_has_shorter_styles(style, words):
    assert plain(str(times.utc(NOON, style))) == words


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (dt.timedelta(seconds=10), "just now"),
        (dt.timedelta(minutes=1), "1 minute ago"),
        (dt.timedelta(hours=5), "5 hours ago"),
        (dt.timedelta(days=2, hours=20), "2 days ago"),
        (dt.timedelta(days=-3), "in 3 days"),
        (dt.timedelta(days=800), "2 years ago"),
    ],
)
def test_utc_ago_never_rounds_up(before, words):
    with time_machine.travel(NOON, tick=False):
        html = str(times.utc(NOON - before, "ago"))

    assert plain(html) == words
    assert 'title="' in html


def test_utc_shows_dates_iso_strings_and_nothing():
    assert plain(str(times.utc(dt.date(2026, 3, 1)))) == "1 Mar 2026"
    assert plain(str(times.utc("2026-03-20T09:12:00Z"))) == "20 Mar 2026 09:12 UTC"
    assert times.utc(None) == "–"
    assert times.utc("") == "–"
    assert "&lt;b&gt;" in render("{{ at|utc }}", at="<b>")


# --- States and digests ---------------------------------------------------------------------------
@pytest.mark.parametrize("state", sorted(states.LOOKS))
def test_each_state_is_icon_and_word_and_never_colour_alone(state):
    html = str(states.badge(state))

    assert states.LOOKS[state].word in html
    assert "<svg" in html
    assert re.search(r'class="badge bg-(\w+)-subtle text-\1-emphasis"', html)


def test_each_icon_is_in_the_sprite():
    sprite = (ROOT / "static" / states.SPRITE).read_text()

    missing = {look.icon for look in states.LOOKS.values() if f'id="{look.icon}"' not in sprite}

    assert not missing


@pytest.mark.parametrize("spelling", ["could not be computed", "Could-Not-Compute", "error"])
def test_badge_knows_a_state_by_its_spellings(spelling):
    assert plain(str(states.badge(spelling))) == "Could not be computed"


def test_badge_shows_a_state_nobody_foresaw_neutrally():
    html = str(states.badge("half_baked"))

    assert plain(html) == "Half baked"
    assert "bg-secondary-subtle" in html


class Odd(models.TextChoices):
    HALF = "half", "Half done"


def test_badge_reads_the_label_of_a_choice_it_does_not_know():
    assert plain(str(states.badge(Odd.HALF))) == "Half done"


def test_badge_takes_words_and_tone_and_escapes_them():
    html = str(states.badge("fails", "<b>Fails</b>, waived", tone='" onload="x'))

    assert "&lt;b&gt;Fails&lt;/b&gt;, waived" in html
    assert "bg-danger-subtle" in html
    assert "onload" not in html


def test_digest_is_short_for_the_eye_and_whole_for_the_ear_and_the_clipboard():
    value = "sha256:" + hashlib.sha256(b"x").hexdigest()

    html = str(states.digest(value))

    assert f"{value[:11]}…{value[-4:]}" in html
    assert f'<span class="visually-hidden">{value}</span>' in html
    assert f'data-copy="{value}"' in html
    assert states.digest(None) == "–"
    assert "<script>" not in str(states.digest('"><script>alert(1)</script>'))


# --- Parts of a page ------------------------------------------------------------------------------
def test_wrap_leaves_nothing_behind_round_nothing():
    assert render('{% wrap "p" "fact" %}  {% endwrap %}') == ""
    assert render('{% wrap "p" "fact" %}a{% endwrap %}') == '<p class="fact">a</p>'


def test_card_is_a_named_section_and_escapes_what_its_author_did_not():
    html = render('{% card title id="x" %}{{ body }}{% endcard %}', title="<i>", body="<b>")

    assert '<section class="card mb-3" id="x" aria-labelledby="x-title">' in html
    assert '<h2 class="card-title" id="x-title">&lt;i&gt;</h2>' in html
    assert "&lt;b&gt;" in html


def test_card_folds_what_is_in_order():
    html = render('{% card "11 gates pass" fold=True %}all{% endcard %}')

    assert html.startswith('<details class="card')
    assert "<summary" in html


def test_table_marks_row_headers_numbers_and_gaps():
    html = render_to_string(
        "components/_table.html",
        {"columns": ["Age", {"label": "Rows", "numeric": True}], "rows": [["<25", None]]},
    )

    assert '<th scope="row">&lt;25</th>' in html
    assert '<td class="num">–</td>' in html
    assert 'tabindex="0"' in html


def test_chart_carries_its_data_its_finding_and_its_table():
    html = render_to_string(
        "components/_chart.html",
        {
            "chart_id": "flips",
            "spec": {"data": [{"type": "bar", "name": "</script>"}], "layout": {}},
            "caption": "Most flips are under 25.",
            "columns": ["Age", "Flips"],
            "rows": [["under 25", 3.9]],
        },
    )

    assert 'data-chart="flips"' in html
    assert '<script id="flips" type="application/json">' in html
    assert html.count("</script>") == 1
    assert "<figcaption>Most flips are under 25.</figcaption>" in html
    assert "See as a table" in html


def job(**changes: object) -> SimpleNamespace:
    values = {
        "pk": 5,
        "state": "running",
        "progress": 0.41,
        "message": "Scoring",
        "is_terminal": False,
    }
    return SimpleNamespace(**{**values, **changes})


def test_progress_asks_again_until_the_job_is_at_an_end():
    running = render_to_string("components/_progress.html", {"job": job(), "poll_url": "/p/"})
    ended = render_to_string(
        "components/_progress.html",
        {"job": job(state="succeeded", progress=1.0, is_terminal=True), "poll_url": "/p/"},
    )

    assert 'hx-get="/p/"' in running
    assert 'value="0.41" max="1"' in running
    assert "hx-get" not in ended
    assert "data-announce=" in ended


def test_progress_offers_to_cancel_only_what_still_runs():
    context = {"poll_url": "/p/", "cancel_url": "/c/"}

    assert 'action="/c/"' in render_to_string(
        "components/_progress.html", {**context, "job": job()}
    )
    assert 'action="/c/"' not in render_to_string(
        "components/_progress.html", {**context, "job": job(is_terminal=True)}
    )


def test_pagination_keeps_the_rest_of_the_query_string():
    request = RequestFactory().get("/models/", {"q": "credit", "page": "2"})
    page = Paginator(range(500), 50).get_page(2)

    html = render_to_string("components/_pagination.html", {"page_obj": page}, request=request)

    assert 'href="?q=credit&amp;page=3"' in html
    assert 'aria-current="page"' in html
    assert "51–100 of 500" in html


def test_pagination_by_cursor_has_only_the_ways_there_are():
    request = RequestFactory().get("/audit/", {"q": "x"})

    html = render_to_string("components/_pagination.html", {"next_cursor": "abc"}, request=request)

    assert 'href="?q=x&amp;cursor=abc"' in html
    assert "Previous" not in html


class ModelTable(tables.Table):
    name = tables.Column()
    rows = tables.Column(orderable=False)

    class Meta:
        empty_text = "No models yet."


def test_a_table_scrolls_sorts_and_turns_its_pages():
    request = RequestFactory().get("/models/", {"q": "credit", "sort": "-name"})
    table = ModelTable([{"name": f"m{n}", "rows": n} for n in range(120)])
    tables.RequestConfig(request, paginate={"per_page": 50}).configure(table)

    html = table.as_html(request)

    assert 'tabindex="0"' in html
    assert 'aria-sort="descending"' in html
    assert 'href="?q=credit&amp;sort=-name&amp;page=2"' in html
    assert html.count('<th scope="row"') == 50


def test_an_empty_table_says_so():
    request = RequestFactory().get("/models/")

    assert plain(ModelTable([]).as_html(request)) == "No models yet."


class Refusal(Exception):
    """As ``common.errors.DomainError`` looks to a template."""

    code = "not_allowed"
    message = "You made this <request>."
    fields = {"reason": ["Say why."]}
    extra = {"reasons": ["p99 fails"], "hint": "Ask Omar Diaz."}


def test_problem_says_what_why_and_what_next_and_takes_a_bare_sentence():
    html = render_to_string("components/_problem.html", {"problem": Refusal()})

    assert 'role="alert"' in html
    assert 'data-code="not_allowed"' in html
    assert "You made this &lt;request&gt;." in html
    assert "p99 fails" in html
    assert "Ask Omar Diaz." in html
    assert "reason: Say why." in plain(html)
    assert "Too late." in render_to_string("components/_problem.html", {"problem": "Too late."})
    assert plain(render_to_string("components/_problem.html", {})) == ""


@pytest.mark.parametrize(
    ("name", "context", "words"),
    [
        ("_badge", {"state": "live"}, "Live"),
        ("_time", {"at": NOON}, "20 Mar 2026 12:00 UTC"),
        ("_time", {"at": NOON, "format": "date"}, "20 Mar 2026"),
        ("_digest", {"value": ""}, "–"),
        ("_empty", {"sentence": "No models.", "next": "Register one."}, "No models.Register one."),
        ("_definition", {"items": [("Threshold", None)]}, "Threshold–"),
        (
            "_history",
            {"events": [{"at": NOON, "who": "Ada", "what": "signed"}]},
            "20 Mar 12:00 UTCAda signed",
        ),
        ("_history", {"events": []}, "Nothing has happened yet."),
        ("_table", {"rows": []}, "Nothing here yet."),
    ],
)
def test_a_component_says_what_it_was_given(name, context, words):
    assert plain(render_to_string(f"components/{name}.html", context)) == words


# --- Forms ----------------------------------------------------------------------------------------
class SignForm(forms.Form):
    meaning = forms.ChoiceField(label="My signature means", choices=[("", "…"), ("v", "Valid")])
    reason = forms.CharField(widget=forms.Textarea, required=False, help_text="Kept.")
    sure = forms.BooleanField(label="I read it")
    way = forms.ChoiceField(widget=forms.RadioSelect, choices=[("a", "Canary"), ("b", "Direct")])


def test_a_field_has_a_visible_label_and_its_errors_beside_it():
    form = SignForm({"meaning": ""})

    html = render_to_string("components/_form.html", {"form": form})

    assert '<label class="form-label" for="id_meaning">My signature means</label>' in html
    assert 'id="id_meaning_error"' in html
    assert 'aria-describedby="id_meaning_error"' in html
    assert 'aria-describedby="id_reason_helptext"' in html
    assert "<legend" in html
    assert html.count('type="radio"') == 2
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_a_text_area_leaves_room_for_the_buttons():
    assert 'rows="4"' in render("{% field form.reason %}", form=SignForm())
    assert 'rows="2"' in render("{% field form.reason rows=2 %}", form=SignForm())


# --- Whole pages ----------------------------------------------------------------------------------
PAGE = """{% extends "base.html" %}
{% block title %}A{% endblock %}{% block heading %}A{% endblock %}
{% block content %}{{ 1|plural:"model" }}{% endblock %}"""


def page(source: str = PAGE, **context: object) -> str:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    return Template(source).render(Context({"request": request, **context}))


def test_a_page_without_navigation_without_a_user_and_without_blocks_still_stands():
    html = page()

    assert html.count("<h1") == 1
    assert 'href="#main"' in html
    assert '<p class="fact">' not in html
    assert "Breadcrumb" not in html


def test_a_page_swaps_refusals_and_evaluates_nothing():
    html = page()

    config = re.search(r"""name="htmx-config" content='([^']+)'""", html)
    assert config
    assert '"code": "409", "swap": true' in config[1]
    assert '"code": "422", "swap": true' in config[1]
    assert '"allowEval": false' in config[1]


def test_a_page_shows_what_was_told_as_words_and_icon():
    html = page(messages=[Message(40, "It <failed>."), Message(25, "Signed.")])

    assert 'role="alert"' in html
    assert "It &lt;failed&gt;." in html
    assert "alert-success" in html


def test_the_account_menu_names_the_person_the_roles_and_other_workspaces():
    nav = {
        "workspace": "Retail credit",
        "user_name": "Ada <Rahman>",
        "roles": ["Validator"],
        "workspaces": [
            {"name": "Retail credit", "url": "/w/retail/", "current": True},
            {"name": "Operations", "url": "/w/ops/", "current": False},
        ],
    }
    html = Template("{% load ui %}{% account_menu %}").render(Context({"nav": nav}))

    assert "Retail credit · Ada &lt;Rahman&gt;, validator" in plain(html)
    assert 'href="/w/ops/"' in html
    assert 'method="post"' in html
    assert "/accounts/profile/" in html
    assert "/accounts/people/" not in html


def test_only_an_administrator_is_shown_the_way_to_people_and_outbound():
    nav = {"workspace": "Retail credit", "user_name": "Ada", "may_administer": True}

    html = Template("{% load ui %}{% account_menu %}").render(Context({"nav": nav}))

    assert "/accounts/people/" in html
    assert "/outbound/" in html


def test_the_top_bar_says_what_waits_in_words_too(monkeypatch):
    monkeypatch.setattr(bar, "_url", lambda route, request: f"/{route}/")
    context = Context({"nav": {"requests_waiting": 4, "alerts_open": 1}, "section": "audit"})

    html = Template("{% load ui %}{% main_nav %}").render(context)

    assert "Requests 4 wait for you" in plain(html)
    assert "Monitoring 1 open alert" in plain(html)
    assert "Findings" in html
    assert html.count('aria-current="page"') == 1
    assert re.search(r'aria-current="page">Audit trail', html)


def test_a_section_that_is_closed_to_the_reader_is_not_in_the_top_bar(monkeypatch):
    monkeypatch.setattr(bar, "_url", lambda route, request: f"/{route}/")
    context = Context({"nav": {"closed_sections": ["audit"]}, "section": "requests"})

    html = Template("{% load ui %}{% main_nav %}").render(context)

    assert "Findings" in html
    assert "Audit trail" not in html


def test_a_route_that_is_not_there_leaves_the_top_bar_standing():
    assert bar._url("nowhere:at-all", None) == ""


@pytest.mark.parametrize("code", [400, 403, 404, 500])
def test_error_pages_need_no_context(code):
    html = get_template(f"{code}.html").render()

    assert str(code) in html
    assert html.count("<h1") == 1


def shipped_templates() -> list[Path]:
    return sorted((ROOT / "templates").rglob("*.html"))


@pytest.mark.parametrize(
    "path", shipped_templates(), ids=lambda path: str(path.relative_to(ROOT / "templates"))
)
def test_a_template_holds_no_inline_script_and_no_inline_style(path):
    text = path.read_text()

    assert not re.search(r"\sstyle=", text)
    assert not re.search(r"<style\b", text)
    assert not re.search(r"\son\w+=", text)
    assert not re.search(r"<script(?![^>]*(?:\bsrc=|application/json))[^>]*>", text)
    assert not re.search(r"""(?:src|href)=["']https?://""", text)


def test_what_is_vendored_is_what_was_checked():
    vendor = ROOT / "static" / "vendor"
    said = dict(
        reversed(line.split("  ", 1)) for line in (vendor / "SHA256SUMS").read_text().splitlines()
    )
    there = {
        str(path.relative_to(vendor)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }

    assert there == said
    assert all((folder / "LICENSE").is_file() for folder in vendor.iterdir() if folder.is_dir())


def test_nothing_vendored_points_at_a_file_that_is_not_there():
    for path in (ROOT / "static").rglob("*.*s"):
        text = path.read_text()
        assert "sourceMappingURL=" not in text, path
        if path.suffix == ".css":
            assert not re.search(r"""url\((?!["']?data:)""", text), path
