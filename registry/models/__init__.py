from registry.models.alias import Alias
from registry.models.dataset import Dataset, VersionDataset
from registry.models.model_version import Consumption, ModelVersion, VersionAuthor
from registry.models.registered_model import Environment, Kind, RegisteredModel

__all__ = [
    "Alias",
    "Consumption",
    "Dataset",
    "Environment",
    "Kind",
    "ModelVersion",
    "RegisteredModel",
    "VersionAuthor",
    "VersionDataset",
]
