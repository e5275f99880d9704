"""Pages of the API: cursors, 50 rows unless asked, 500 at most (DESIGN 6a)."""

from __future__ import annotations

from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """By descending id: the newest row first, stable while rows are added."""

    ordering = "-pk"
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 500


class OldestFirst(NewestFirst):
    """By ascending id, for queues: what waits longest comes first."""

    ordering = "pk"
