"""Facts that delivery announces, after commit."""

from django.dispatch import Signal

#: Sent with ``rollout`` and ``outcome`` (succeeded, rolled_back, failed, needs_operator).
rollout_finished = Signal()

#: A batch run used what was not live. Sent with ``receipt``.
receipt_mismatched = Signal()
