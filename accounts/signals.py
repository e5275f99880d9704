"""Facts that upper apps may want to hear, sent after the change, in its transaction."""

from django.dispatch import Signal

#: ``workspace``: a new one; registry makes its environments.
workspace_created = Signal()
