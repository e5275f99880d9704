"""Facts other apps may listen to."""

from django.dispatch import Signal

#: Sent with ``job`` after the commit that put a job into a terminal state. Receivers look at
#: ``job.kind``; they may be called twice or, after a crash at that very moment, not at all, so
#: what must happen belongs into the handler's own transaction.
job_finished = Signal()
