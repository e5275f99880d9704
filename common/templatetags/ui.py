"""The words and figures of every page, one library made of the parts in ``common/ui``.

Whatever comes in is escaped (``format_html``); nothing there trusts its input.
"""

from __future__ import annotations

from django import template

from common.ui import bar, figures, forms, parts, states, times

register = template.Library()
for part in (states, times, figures, parts, forms, bar):
    register.tags.update(part.register.tags)
    register.filters.update(part.register.filters)
