from datetime import timedelta

import pytest
from django.utils import timezone

pytestmark = [pytest.mark.serial]


def test_shots(house):
    from jobs.models import Job
    from jobs.services.claim import claim_job
    from tests.factories.accounts import PASSWORD
    from tests.factories.jobs import JobFactory
    from tests.factories.outbound import DestinationFactory, MessageFactory

    ws = house.workspace()
    ada = house.person("administrator", "operator", name="Ada Lovelace")
    for n, (t, p, m) in enumerate(
        [
            ("Evaluate flights-delay 7 on holdout Q2", 0.42, "Batch 42 of 100: 8,400 rows scored"),
            ("Explain flights-delay 7: 40 rows", 0.08, "Row 3 of 40"),
        ]
    ):
        j = JobFactory(
            workspace=ws, title=t, kind="evaluation.evaluation", created_by_label="Ada Lovelace"
        )
        c = claim_job(j.uid)
        c.save(progress=p, message=m)
    Job.objects.update(lease_until=timezone.now() + timedelta(hours=1))
    JobFactory(
        workspace=ws,
        title="Differential of flights-delay 7 against 6",
        kind="evaluation.differential",
        attempts=2,
        error="The endpoint did not answer within 10 s.",
        error_code="timeout",
    )
    JobFactory(
        workspace=ws,
        title="Fairness of hmda 1 by race",
        kind="evaluation.fairness",
        state="failed",
        finished_at=timezone.now(),
        error="The column “race” is not in the dataset.",
        error_code="wrong_columns",
    )
    JobFactory(
        workspace=ws,
        title="Evaluate flights-delay 6 on holdout Q2",
        kind="evaluation.evaluation",
        state="succeeded",
        finished_at=timezone.now(),
        message="20,000 rows scored.",
        progress=1,
    )
    JobFactory(
        workspace=ws,
        title="Rollout 12",
        kind="delivery.rollout",
        state="needs_operator",
        finished_at=timezone.now(),
        error="The gateway did not acknowledge the weights.",
    )
    MessageFactory(
        workspace=ws,
        subject="flights-delay 7 waits for your signature",
        purpose="request.opened",
        state="sent",
        sent_at=timezone.now(),
        attempts=1,
    )
    MessageFactory(
        workspace=ws,
        subject="Alert: PSI of distance is 0.31",
        purpose="alert.opened",
        attempts=3,
        error="The mail server was not reached (ConnectionRefusedError).",
        next_try_at=timezone.now() + timedelta(minutes=2),
    )
    MessageFactory(
        workspace=ws,
        kind="webhook",
        to=[],
        url="https://hooks.example.com/services/T000/B000/xyz",
        sealed_secret="x",
        subject="rollout.succeeded",
        purpose="rollout.finished",
        state="failed",
        attempts=1,
        error="The receiver answers 404.",
    )
    DestinationFactory(
        workspace=ws,
        cidr="10.1.2.0/24",
        port=8080,
        host="models.internal",
        created_by_label="Ada Lovelace",
    )
    DestinationFactory(
        workspace=ws,
        revoked_at=timezone.now(),
        revoked_by_pid="p:x",
        revoked_by_label="Ada Lovelace",
        created_by_label="Ada Lovelace",
    )
    house.web(DJANGO_SETTINGS_MODULE="shots", PYTHONPATH="/tmp/mm")
    import subprocess
    import sys

    r = subprocess.run(
        [sys.executable, "/tmp/mm/shoot.py", house.url, ada.email, PASSWORD],
        capture_output=True,
        text=True,
        timeout=100,
    )
    print(r.stdout, r.stderr[-3000:])
