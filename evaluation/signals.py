"""Facts other apps may listen to."""

from django.dispatch import Signal

#: Sent with ``evidence`` after the commit that made it complete, failed or cancelled. It may come
#: twice, after a crash at that very moment.
evidence_finished = Signal()
