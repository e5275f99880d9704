"""A job's whole life at random: workers, zombies, reapers, people; what must hold, always holds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from accounts.callers import Caller
from audit.models import Event
from common.errors import DomainError
from jobs import errors, registry
from jobs.models import Job
from jobs.registry import Done
from jobs.services import finish
from jobs.services.cancel import cancel
from jobs.services.claim import Claim, claim_job
from jobs.services.reap import reap
from jobs.services.retry import retry
from tests.factories.jobs import JobFactory

KIND = "tests.lifecycle"
WHO = st.integers(min_value=0, max_value=9)


class Lifecycle(RuleBasedStateMachine):
    """One job and everybody who ever held it. ``held`` keeps old claims: those are the zombies."""

    def __init__(self) -> None:
        super().__init__()
        self.example = transaction.atomic()  # each example is rolled back
        self.example.__enter__()
        registry.register(KIND, exhausted="needs_operator")(lambda job, claim: Done())
        self.job = JobFactory(kind=KIND, max_attempts=3)
        self.caller = Caller.system("tests", self.job.workspace)
        self.held: list[Claim] = []
        self.results: list[int] = []  # fences under which a success was written
        self.retries = 0

    def teardown(self) -> None:
        registry.forget(KIND)
        transaction.set_rollback(True)
        self.example.__exit__(None, None, None)

    def row(self) -> Job:
        return Job.objects.get(pk=self.job.pk)

    def pick(self, who: int) -> Claim:
        return self.held[who % len(self.held)]

    def is_mine(self, claim: Claim) -> bool:
        row = self.row()
        return row.state == "running" and row.fence == claim.fence

    @rule()
    def claim(self) -> None:
        before = self.row()
        found = claim_job(self.job.uid)
        is_due = before.state == "queued" and before.next_run_at <= timezone.now()
        assert (found is not None) == is_due
        if found is not None:
            assert found.fence > max([0, *(old.fence for old in self.held)])
            self.held.append(found)

    @precondition(lambda self: self.held)
    @rule(who=WHO)
    def save(self, who: int) -> None:
        claim = self.pick(who)
        if self.is_mine(claim):
            claim.save(cursor={"fence": claim.fence}, progress=0.5)
            assert self.row().cursor == {"fence": claim.fence}
        else:
            before = self.row().cursor
            with pytest.raises(errors.LeaseLost):
                claim.save(cursor={"fence": -1})
            assert self.row().cursor == before

    @precondition(lambda self: self.held)
    @rule(who=WHO, ending=st.sampled_from(["done", "continue", "retry", "fail", "cancelled"]))
    def end(self, who: int, ending: str) -> None:
        claim = self.pick(who)
        mine, before = self.is_mine(claim), Job.objects.filter(pk=self.job.pk).values().get()
        claim.job.refresh_from_db()
        written = {
            "done": lambda: finish.succeed(claim, {"fence": claim.fence}, ""),
            "continue": lambda: finish.go_on(
                claim, {"fence": claim.fence}, after_s=0, message="", progress=None
            ),
            "retry": lambda: finish.try_again(claim, "again", "again", 0.0),
            "fail": lambda: finish.give_up(claim, "no", "no"),
            "cancelled": lambda: finish.cancel(claim),
        }[ending]()
        assert written == mine
        if not mine:
            assert Job.objects.filter(pk=self.job.pk).values().get() == before
        elif ending == "done":
            self.results.append(claim.fence)

    @rule()
    def lose_the_worker(self) -> None:
        Job.objects.filter(pk=self.job.pk, state="running").update(
            lease_until=timezone.now() - timedelta(hours=1)
        )

    @rule()
    def reap(self) -> None:
        expired = Job.objects.filter(
            pk=self.job.pk, state="running", lease_until__lt=timezone.now()
        ).count()
        assert reap() == expired

    @rule(again=st.booleans())
    def ask(self, again: bool) -> None:
        before = self.row()
        try:
            with transaction.atomic():
                (retry if again else cancel)(uid=self.job.uid, caller=self.caller)
        except DomainError:
            assert self.row().state == before.state
            return
        if again:
            assert before.state in ("failed", "cancelled", "needs_operator")
            self.retries += 1
        else:
            assert before.state in ("queued", "running")

    @invariant()
    def it_is_whole(self) -> None:
        row = self.row()
        assert row.is_terminal == (row.finished_at is not None)
        assert row.attempts <= row.max_attempts
        assert (row.lease_until is not None) == (row.state == "running")
        if row.state == "succeeded":
            assert row.result == {"fence": self.results[-1]}
            assert row.fence == self.results[-1]
        else:
            assert row.result == {}

    @invariant()
    def it_succeeded_at_most_once(self) -> None:
        assert len(self.results) <= 1

    @invariant()
    def every_failure_is_in_the_trail(self) -> None:
        failures = Event.objects.filter(action="job.failed").count()
        ended_badly = self.row().state in ("failed", "needs_operator")
        assert failures >= ended_badly
        assert failures <= self.retries + 1


class TestLifecycle(Lifecycle.TestCase, TestCase):  # type: ignore[name-defined,misc]
    """The machine as a test with a database."""

    settings = hypothesis_settings(max_examples=30, stateful_step_count=25, deadline=None)
