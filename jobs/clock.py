"""The database's clock and the fence's sequence, as expressions: no worker's clock counts."""

from __future__ import annotations

from typing import Any

from django.db.models.expressions import Func
from django.db.models.functions import Now


class ClockTimestamp(Now):
    """The time as it moves, not as the transaction or the statement began."""

    template = "CLOCK_TIMESTAMP()"

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template=self.template, **extra)


class NextFence(Func):
    """A new fence, larger than every earlier one."""

    template = "nextval('jobs_fence_seq')"
    arity = 0
