"""Facts that governance tells, after the commit."""

from django.dispatch import Signal

#: A promotion request left the queue, or an approval ended. Argument: ``promotion``.
promotion_closed = Signal()
