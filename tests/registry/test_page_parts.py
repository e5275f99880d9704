"""What stands where on a version's page: what decides first, how to end it last."""

import pytest
from django.urls import reverse

from tests.factories.registry import ModelVersionFactory

pytestmark = pytest.mark.django_db


def test_needs_come_before_lineage_and_the_end_comes_last(client_for, workspace):
    version = ModelVersionFactory(model__workspace=workspace)
    page = client_for("model_owner").get(
        reverse("registry:version-detail", args=[version.model.name, version.number])
    )
    text = page.content.decode()
    places = [text.index(f'id="{name}"') for name in ("needs", "card", "lineage", "change")]
    assert places == sorted(places)
