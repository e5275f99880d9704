"""Work that is easily killed in the middle: eight rows, each with its cursor in one transaction."""

from __future__ import annotations

import os
import time

from django.db import connection, transaction

from jobs.models import Job
from jobs.registry import Continue, Done, register
from jobs.services.claim import Claim

KIND = "faults.count"
BATCHES = 8

#: Made by the test; no constraint of it forbids a double row, so a double row would be seen.
TABLE = "CREATE TABLE faults_row (job uuid, batch int, fence bigint)"


@register(KIND, max_attempts=50)
def count(job: Job, claim: Claim) -> Done | Continue:
    """One row a batch; goes on from its cursor; gives the claim back half way."""
    claim.save(message=f"{os.getpid()}")  # whom to kill
    for batch in range(job.cursor.get("batch", 0), BATCHES):
        time.sleep(0.03)
        with transaction.atomic():
            claim.insist_mine()
            with connection.cursor() as sql:
                sql.execute(
                    "INSERT INTO faults_row VALUES (%s, %s, %s)", [job.uid, batch, claim.fence]
                )
            time.sleep(0.005)
            claim.save(cursor={"batch": batch + 1}, progress=(batch + 1) / BATCHES)
        if batch == BATCHES // 2:
            return Continue(cursor={"batch": batch + 1})
    return Done({"batches": BATCHES})
