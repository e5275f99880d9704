"""A version that somebody has asked to promote stays until that is decided."""

import pytest

from governance.services import promotions
from registry.errors import EverLive
from registry.services import deletion
from tests.factories import governance as make

pytestmark = pytest.mark.django_db


def test_a_version_under_a_request_is_kept_until_it_is_withdrawn(caller_for, workspace):
    promotion = make.promotion(workspace)
    version = promotion.version
    other = make.version(version.model)
    caller = caller_for("model_owner")

    for delete in (
        lambda: deletion.delete_version(caller=caller, version=version),
        lambda: deletion.delete_model(caller=caller, model=version.model),
    ):
        with pytest.raises(EverLive, match="withdraw it first"):
            delete()
    deletion.delete_version(caller=caller, version=other)
    promotions.withdraw(
        caller=caller_for(promotion.requested_by), promotion=promotion, reason="No longer needed."
    )

    deletion.delete_version(caller=caller, version=version)

    version.refresh_from_db()
    assert version.deleted_at is not None
