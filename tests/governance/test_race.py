"""Two people at once: nobody's signature is lost, and nothing is approved twice or by half."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from audit.models import Event
from common.errors import DomainError
from governance.models import RequestAuthor
from governance.services import promotions, signatures
from tests.factories import governance as make
from tests.governance.conftest import PASSWORD

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


def at_once(*acts):
    """Run each in a thread of its own, all let go at one barrier; the errors, in order."""
    barrier = threading.Barrier(len(acts))
    errors = [None] * len(acts)

    def run(index, act):
        try:
            barrier.wait(10)
            act()
        except Exception as error:
            errors[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


def signing(user, workspace, promotion, meaning):
    def act():
        signatures.approve(
            caller=make.caller(user, workspace),
            promotion=promotion,
            digest=promotion.digest,
            meaning=meaning,
            password=PASSWORD,
            reason="At once.",
        )

    return act


VALIDATED = "I validated this version independently"
ACCEPTED = "I accept the residual risk"


def test_two_people_sign_at_once_and_it_is_approved_once(workspace, signer):
    ada, ines = signer("validator"), signer("risk_officer")
    promotion = make.promotion(workspace)

    errors = at_once(
        signing(ada, workspace, promotion, VALIDATED),
        signing(ines, workspace, promotion, ACCEPTED),
    )

    assert errors == [None, None]
    promotion.refresh_from_db()
    assert promotion.status == "approved"
    assert promotion.signatures.count() == 2
    assert Event.objects.filter(action="request.approved").count() == 1


def test_two_people_for_one_place_leave_one_signature(workspace, signer):
    promotion = make.promotion(workspace)

    errors = at_once(
        signing(signer("validator"), workspace, promotion, VALIDATED),
        signing(signer("validator"), workspace, promotion, VALIDATED),
    )

    assert sorted(getattr(error, "code", "") for error in errors) == ["", "role_satisfied"]
    assert promotion.signatures.count() == 1


def test_one_person_in_two_windows_signs_once(workspace, signer):
    both = signer("validator", "risk_officer")
    promotion = make.promotion(workspace)

    errors = at_once(
        signing(both, workspace, promotion, VALIDATED),
        signing(both, workspace, promotion, ACCEPTED),
    )

    assert sorted(getattr(error, "code", "") for error in errors) == ["", "already_signed"]
    promotion.refresh_from_db()
    assert (promotion.status, promotion.signatures.count()) == ("open", 1)


def test_signing_while_evidence_arrives_never_leaves_a_stale_approval(workspace, signer):
    ada, ines = signer("validator"), signer("risk_officer")
    promotion = make.promotion(workspace)
    signing(ada, workspace, promotion, VALIDATED)()
    make.evaluation(promotion.version, auc=0.3)  # fails the gate

    errors = at_once(
        signing(ines, workspace, promotion, ACCEPTED),
        lambda: promotions.refresh_gates(promotion),
    )

    assert isinstance(errors[0], DomainError)
    assert errors[1] is None
    promotion.refresh_from_db()
    assert (promotion.status, promotion.round) == ("open", 2)


def test_becoming_an_author_while_signing_never_ends_as_both(workspace, signer):
    ada = signer("validator")
    promotion = make.promotion(workspace)

    errors = at_once(
        signing(ada, workspace, promotion, VALIDATED),
        lambda: RequestAuthor.objects.create(
            promotion=promotion, user=ada, how="git_author", identity="ada"
        ),
    )

    assert sum(error is not None for error in errors) == 1
    is_author = promotion.authors.filter(user=ada).exists()
    assert is_author is not promotion.signatures.filter(user=ada).exists()


def test_two_requests_at_once_are_one(workspace, person):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    make.evaluation(version)
    people = [person("requester") for _ in range(2)]

    errors = at_once(
        *(
            lambda user=user: make.promotion(workspace, of=version, by=user, gates_pass=False)
            for user in people
        )
    )

    assert sorted(getattr(error, "code", "") for error in errors) == ["", "request_open"]
    assert version.promotions.count() == 1
