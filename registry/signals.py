"""Facts that the registry tells to whoever stands above it. All are sent after the commit."""

from django.dispatch import Signal

#: A version was registered. Arguments: ``version`` (ModelVersion), ``caller`` (Caller).
version_registered = Signal()

#: A dataset can be read. Arguments: ``dataset`` (Dataset).
dataset_ready = Signal()

#: An alias stands elsewhere. Arguments: ``model``, ``name``, ``version`` (or None), ``previous``.
alias_moved = Signal()
