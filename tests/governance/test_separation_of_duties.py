"""A machine that opens, changes, signs, rejects, withdraws and lets lapse, in any order.

After every step: no author's signature counts, no approval stands on a failing gate or on fewer
distinct people than the policy asks for, and no signature over other content counts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import Workspace
from accounts.signals import workspace_created
from common.errors import DomainError
from governance.models import GateResult, PromotionRequest
from governance.services import findings, promotions, signatures
from governance.services.clearance import State, clearance
from registry import selectors as registry
from registry.services import models as registry_models
from tests.factories import governance as make
from tests.factories.accounts import WorkspaceFactory, person
from tests.governance.conftest import PASSWORD

PEOPLE = st.integers(0, 5)
ROLES = [
    ("validator",),
    ("validator", "requester"),
    ("risk_officer",),
    ("risk_officer", "model_owner"),
    ("validator", "risk_officer"),
    ("requester", "model_owner"),
]


class Duties(RuleBasedStateMachine):
    """One model, six people of mixed roles, requests one after another."""

    @initialize()
    def begin(self) -> None:
        self.block = transaction.atomic()
        self.block.__enter__()
        self.workspace = WorkspaceFactory()
        workspace_created.send(sender=Workspace, workspace=self.workspace)
        make.policy(self.workspace, approvals={"validator": 2, "risk_officer": 1})
        self.people = []
        for roles in ROLES:
            user = person(self.workspace, *roles)
            user.set_password(PASSWORD)
            user.save(update_fields=["password"])
            self.people.append(user)
        self.model = make.model(self.workspace)
        self.promotion: PromotionRequest | None = None
        #: What each person saw when they last looked: they may sign that, however old it is.
        self.seen: dict[int, str] = {}

    def teardown(self) -> None:
        if hasattr(self, "block"):
            transaction.set_rollback(True)
            self.block.__exit__(None, None, None)

    def caller(self, who: int) -> Any:
        return make.caller(self.people[who], self.workspace)

    def attempt(self, act: Any) -> None:
        """Do it, or be refused: both are fine, half of it is not."""
        try:
            with transaction.atomic():
                act()
        except DomainError:
            pass
        if self.promotion is not None:
            self.promotion.refresh_from_db()

    @rule(who=PEOPLE, auc=st.sampled_from([0.5, 0.7, 0.8]))
    def ask(self, who: int, auc: float) -> None:
        if self.promotion is not None and self.promotion.is_open:
            return
        version = make.version(self.model, created_by=self.people[who])
        make.evaluation(version, auc=auc)

        def act() -> None:
            self.promotion = promotions.open_request(
                caller=self.caller(who),
                version=version,
                environment=registry.get_environment(self.workspace, "production"),
            )

        self.attempt(act)

    @precondition(lambda self: self.promotion is not None)
    @rule(who=PEOPLE)
    def look(self, who: int) -> None:
        self.seen[who] = self.promotion.digest

    @precondition(lambda self: self.promotion is not None)
    @rule(
        who=PEOPLE,
        verdict=st.sampled_from(["approve", "approve", "approve", "reject"]),
        fresh=st.booleans(),
        role=st.sampled_from(["", "validator", "risk_officer"]),
    )
    def sign(self, who: int, verdict: str, fresh: bool, role: str) -> None:
        digest = self.promotion.digest if fresh else self.seen.get(who, "sha256:none")
        meanings = self.promotion.policy_revision.body["meanings"]
        roles = [role] if role else [r for r in ("validator", "risk_officer") if r in ROLES[who]]
        meaning = meanings[roles[0]][0] if roles else ""
        service = signatures.approve if verdict == "approve" else signatures.reject
        self.attempt(
            lambda: service(
                caller=self.caller(who),
                promotion=self.promotion,
                digest=digest,
                meaning=meaning,
                password=PASSWORD,
                reason="because",
                role=role,
            )
        )

    @precondition(lambda self: self.promotion is not None)
    @rule(auc=st.sampled_from([0.5, 0.7, 0.9]), told=st.booleans())
    def evidence(self, auc: float, told: bool) -> None:
        make.evaluation(self.promotion.version, auc=auc)
        if told:
            self.attempt(lambda: promotions.refresh_gates(self.promotion))

    @precondition(lambda self: self.promotion is not None)
    @rule(who=PEOPLE, told=st.booleans(), text=st.integers(1, 40))
    def edit_the_card(self, who: int, told: bool, text: int) -> None:
        self.attempt(
            lambda: registry_models.update(
                caller=self.caller(who), model=self.model, purpose="x" * text
            )
        )
        if told:
            self.attempt(lambda: promotions.refresh_gates(self.promotion))

    @rule()
    def find_something(self) -> None:
        make.finding(self.workspace, model=self.model)

    @rule()
    def deal_with_it(self) -> None:
        for finding in self.model.findings.filter(state="open"):
            findings.close(caller=make.system(self.workspace), finding=finding, resolution="Done.")

    @precondition(lambda self: self.promotion is not None)
    @rule(who=PEOPLE)
    def withdraw(self, who: int) -> None:
        self.attempt(
            lambda: promotions.withdraw(
                caller=self.caller(who), promotion=self.promotion, reason=""
            )
        )

    @precondition(lambda self: self.promotion is not None and self.promotion.is_open)
    @rule()
    def lapse(self) -> None:
        PromotionRequest.objects.filter(pk=self.promotion.pk).update(
            valid_until=timezone.now() - timedelta(seconds=1)
        )
        promotions.expire_due()
        self.promotion.refresh_from_db()

    @invariant()
    def the_database_agrees(self) -> None:
        if hasattr(self, "block"):
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute("SET CONSTRAINTS ALL DEFERRED")

    @invariant()
    def duties_are_separate(self) -> None:
        if getattr(self, "promotion", None) is None:
            return
        for promotion in PromotionRequest.objects.filter(workspace=self.workspace):
            authors = set(promotion.authors.values_list("user_id", flat=True))
            counted = [item for item in promotion.signatures.all() if item.round == promotion.round]
            assert not authors & {item.user_id for item in counted}, "an author's signature counts"
            assert all(item.digest == promotion.digest for item in counted), "a stale one counts"
            people = [item.user_id for item in counted]
            assert len(people) == len(set(people)), "a person counts twice"
            if promotion.status != "approved":
                assert clearance(promotion, promotion.release_digest).state is not State.CLEARED
                continue
            blocking = [
                gate for gate in GateResult.objects.filter(promotion=promotion) if gate.blocks
            ]
            assert not blocking, "approved on a failing gate"
            roles = sorted(item.role for item in counted if item.verdict == "approve")
            assert roles == ["risk_officer", "validator", "validator"], "not the policy's people"


@pytest.mark.django_db
def test_duties_stay_separate_in_any_order():
    run_state_machine_as_test(
        Duties,
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
