from registry.models.alias import Alias
from registry.models.artifact import Artifact, ArtifactUpload
from registry.models.card import CardRevision
from registry.models.dataset import Dataset, VersionDataset
from registry.models.import_run import ImportRun
from registry.models.lineage import VersionComponent, VersionLink
from registry.models.model_version import (
    Consumption,
    Derivation,
    ModelVersion,
    Stage,
    Status,
    VersionAuthor,
)
from registry.models.registered_model import Environment, Kind, RegisteredModel
from registry.models.saved_view import SavedView
from registry.models.webhook import Webhook

__all__ = [
    "Alias",
    "Artifact",
    "ArtifactUpload",
    "CardRevision",
    "Consumption",
    "Dataset",
    "Derivation",
    "Environment",
    "ImportRun",
    "Kind",
    "ModelVersion",
    "RegisteredModel",
    "SavedView",
    "Stage",
    "Status",
    "VersionAuthor",
    "VersionComponent",
    "VersionDataset",
    "VersionLink",
    "Webhook",
]
