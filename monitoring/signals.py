"""Facts that monitoring announces, after commit."""

from django.dispatch import Signal

#: Sent with ``alert``: a rule's threshold was crossed and an alert was opened.
threshold_crossed = Signal()
