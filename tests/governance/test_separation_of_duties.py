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
        # Begun by two people who could also sign: the holes lie one step away, not ten.
        self.begin_request(asker=1, builder=3, auc=0.7)

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

    def begin_request(self, *, asker: int, builder: int, auc: float) -> None:
        version = make.version(self.model, created_by=self.people[builder])
        make.evaluation(version, auc=auc)

        def act() -> None:
            self.promotion = promotions.open_request(
                caller=self.caller(asker),
                version=version,
                environment=registry.get_environment(self.workspace, "production"),
            )

        self.attempt(act)

    @precondition(lambda self: self.promotion is None or not self.promotion.is_open)
    @rule(asker=st.sampled_from([1, 3, 5]), builder=PEOPLE, auc=st.sampled_from([0.7, 0.8, 0.5]))
    def ask(self, asker: int, builder: int, auc: float) -> None:
        self.begin_request(asker=asker, builder=builder, auc=auc)

    @precondition(lambda self: self.promotion is not None)
    @rule(who=PEOPLE)
    def look(self, who: int) -> None:
        self.seen[who] = self.promotion.digest

    def signs(self, who: int, *, digest: str, role: str = "", verdict: str = "approve") -> None:
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
    @rule(who=PEOPLE, role=st.sampled_from(["", "validator", "risk_officer"]))
    def sign(self, who: int, role: str) -> None:
        self.signs(who, digest=self.promotion.digest, role=role)

    @precondition(lambda self: self.promotion is not None)
    @rule(who=PEOPLE)
    def sign_what_was_seen(self, who: int) -> None:
        self.signs(who, digest=self.seen.get(who, "sha256:none"))

    @precondition(lambda self: self.promotion is not None and self.promotion.is_open)
    @rule(order=st.permutations(range(6)))
    def everybody_signs(self, order: list[int]) -> None:
        for who in order:
            self.signs(who, digest=self.promotion.digest)

    @precondition(lambda self: self.promotion is not None and self.promotion.is_open)
    @rule(who=PEOPLE)
    def reject(self, who: int) -> None:
        self.signs(who, digest=self.promotion.digest, verdict="reject")

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
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
