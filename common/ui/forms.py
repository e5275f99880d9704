"""One form field as every form shows it."""

from __future__ import annotations

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.forms.widgets import Textarea

register = template.Library()


def _widget_class(widget: object) -> str:
    if isinstance(widget, (CheckboxInput, RadioSelect, CheckboxSelectMultiple)):
        return "form-check-input"
    return "form-select" if isinstance(widget, Select) else "form-control"


@register.inclusion_tag("components/_field.html", name="field")
def field_tag(
    field: BoundField, label: str = "", rows: int | None = None, quiet: bool = False
) -> dict[str, object]:
    """One form field: visible label, widget, hint, and its errors beside it.

    Args:
        field: a bound field.
        label: words instead of the field's own label.
        rows: height of a text area.
        quiet: do not say "(optional)"; for filters, where everything is.
    """
    widget = field.field.widget
    attrs: dict[str, str | bool] = {}
    is_group = isinstance(widget, (RadioSelect, CheckboxSelectMultiple))
    css = [str(widget.attrs.get("class", "")), "" if is_group else _widget_class(widget)]
    if field.errors:
        css.append("is-invalid")
    if any(css):
        attrs["class"] = " ".join(part for part in css if part)
    if isinstance(widget, Textarea) and (rows or str(widget.attrs.get("rows")) == "10"):
        attrs["rows"] = str(
            rows or 4
        )  # Django's own default of ten pushes the buttons out of sight
    described = [f"{field.auto_id}_helptext"] if field.help_text and field.auto_id else []
    if field.errors and field.auto_id:
        described.append(f"{field.auto_id}_error")
    if described:
        attrs["aria-describedby"] = " ".join(described)
    return {
        "field": field,
        "widget_html": field.as_widget(attrs=attrs),
        "label": label or field.label,
        "is_check": isinstance(widget, CheckboxInput),
        "is_group": is_group,
        "choices": _choices(field) if is_group else [],
        "optional": not quiet and not field.field.required,
    }


def _choices(field: BoundField) -> list[dict[str, object]]:
    """Radio buttons or check boxes one by one, each with a label of its own."""
    found: list[dict[str, object]] = []
    for choice in field.subwidgets:
        choice.data["attrs"]["class"] = "form-check-input"
        found.append(
            {
                "widget": choice.tag(wrap_label=False),
                "label": choice.choice_label,
                "id": choice.id_for_label,
            }
        )
    return found
