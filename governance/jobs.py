"""The door of governance's background work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.registry import Done, register

if TYPE_CHECKING:
    from jobs.models import Job
    from jobs.registry import Continue
    from jobs.services.claim import Claim

CHECK = "governance.registration_check"


@register(CHECK)
def check_registration(job: Job, claim: Claim) -> Done | Continue:
    """Look at a new version. Safe to run twice: a version has one check."""
    from governance.services import registration
    from registry.models import ModelVersion

    version = ModelVersion.objects.filter(uid=job.payload["version"], deleted_at=None).first()
    if version is None:
        return Done({}, message="The version is deleted.")
    check = registration.begin(version)
    return Done({"state": str(check.state)}, message=check.get_state_display())
