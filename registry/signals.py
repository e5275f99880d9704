"""Facts that the registry tells to whoever stands above it. All are sent after the commit."""

from django.dispatch import Signal

#: A model was put into the inventory. Arguments: ``model`` (RegisteredModel), ``caller`` (Caller).
model_created = Signal()

#: A version was registered. Arguments: ``version`` (ModelVersion), ``caller`` (Caller).
version_registered = Signal()

#: A pending version's status was settled. Arguments: ``version`` (ModelVersion).
version_settled = Signal()

#: A version's card was written. Arguments: ``version`` (ModelVersion), ``revision``.
card_revised = Signal()

#: A version is not there any more. Arguments: ``version`` (ModelVersion), ``caller`` (Caller).
version_deleted = Signal()

#: A tag stands on a version. Arguments: ``version``, ``key``, ``value`` (text), ``caller``.
version_tag_set = Signal()

#: A tag was taken off a version. Arguments: ``version``, ``key``, ``caller``.
version_tag_deleted = Signal()

#: A tag stands on a model. Arguments: ``model``, ``key``, ``value`` (text), ``caller``.
model_tag_set = Signal()

#: A tag was taken off a model. Arguments: ``model``, ``key``, ``caller``.
model_tag_deleted = Signal()

#: A dataset can be read. Arguments: ``dataset`` (Dataset).
dataset_ready = Signal()

#: An alias stands elsewhere. Arguments: ``model``, ``name``, ``version`` (or None), ``previous``
#: (ModelVersion or None), ``caller``, ``protected`` (an environment's: something else is live).
alias_moved = Signal()
