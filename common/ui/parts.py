"""Sections, tables and lists of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django import template
from django.conf import settings
from django.http import QueryDict
from django.utils.html import format_html, format_html_join
from django.utils.text import slugify

if TYPE_CHECKING:
    from django.core.paginator import Page
    from django.template import Context
    from django.utils.safestring import SafeString

register = template.Library()


@register.simple_block_tag
def wrap(content: SafeString, tag: str, css: str = "") -> SafeString | str:
    """Put an element round a block, and nothing round an empty one."""
    inner = content.strip()
    if not inner:
        return ""
    return format_html('<{0} class="{1}">{2}</{0}>', tag, css, content)


@register.simple_block_tag
def card(
    content: SafeString,
    title: object,
    id: str = "",
    flush: bool = False,
    fold: bool = False,
    note: object = "",
) -> SafeString:
    """A section with a heading: ``{% card "Not known" %}…{% endcard %}``.

    Args:
        content: what stands between the tags; its author escaped it already.
        title: the heading, level 2.
        id: anchor of the section; made from the title when left out.
        flush: no padding, for a table that fills the card.
        fold: closed until somebody opens it; for what is in order.
        note: a few grey words at the right of the heading.
    """
    anchor = id or slugify(str(title)) or "section"
    body = content if flush else format_html('<div class="card-body">{}</div>', content)
    extra = format_html('<span class="card-note">{}</span>', note) if note else ""
    if fold:
        return format_html(
            '<details class="card mb-3" id="{}"><summary class="card-header">'
            '<span class="card-title">{}</span>{}</summary>{}</details>',
            anchor,
            title,
            extra,
            body,
        )
    return format_html(
        '<section class="card mb-3" id="{0}" aria-labelledby="{0}-title">'
        '<div class="card-header"><h2 class="card-title" id="{0}-title">{1}</h2>{2}</div>'
        "{3}</section>",
        anchor,
        title,
        extra,
        body,
    )


@register.simple_block_tag
def scroll(content: SafeString, label: object) -> SafeString:
    """A table that scrolls by itself on a narrow screen, and by keyboard; ``label`` names it."""
    return format_html(
        '<div class="table-responsive" tabindex="0" role="region" '
        'aria-label="{}, a table that scrolls">{}</div>',
        label,
        content,
    )


@register.filter
def paired(row: Iterable[Any], columns: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Each cell of a row with its column: ``[(column, cell), …]``; columns may be too few."""
    cells = list(row)
    heads = [*columns, *[""] * (len(cells) - len(columns))]
    return list(zip(heads, cells, strict=False))


@register.simple_tag
def page_numbers(page: Page[Any]) -> list[int | str]:
    """The page numbers worth a link, with an ellipsis for the others."""
    elided = page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1)
    return [n if isinstance(n, int) else "…" for n in elided]


@register.simple_tag(takes_context=True)
def query(context: Context, name: str, value: object) -> str:
    """The present query string with one parameter set: ``href="{% query 'page' 3 %}"``.

    Unlike Django's ``querystring`` it also works where the context is no ``RequestContext``,
    as inside a table of django-tables2.
    """
    request = context.get("request")
    parameters = request.GET.copy() if request is not None else QueryDict(mutable=True)
    parameters[name or "page"] = str(value)
    return f"?{parameters.urlencode()}"


@register.simple_tag
def product_version() -> str:
    """The version in the footer, where the settings say one."""
    return str(getattr(settings, "VERSION", ""))


@register.simple_tag
def lines(items: Iterable[object]) -> SafeString:
    """Sentences as list items, each escaped."""
    return format_html_join("", "<li>{}</li>", ((item,) for item in items))
