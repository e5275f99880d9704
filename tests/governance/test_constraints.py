"""Each rule of separation of duties against raw SQL: as the owner, its heart as cs_app."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from governance.models import GateResult, PromotionRequest, RequestAuthor, Signature
from tests.factories import governance as make

SIGN = """
    INSERT INTO governance_signature
        (uid, promotion_id, round, user_id, role, verdict, meaning, digest, session_sha256,
         signed_at)
    VALUES (gen_random_uuid(), %(promotion)s, %(round)s, %(user)s, %(role)s, %(verdict)s, 'I do',
            %(digest)s, '', now())
"""


@pytest.fixture
def sql(db: None) -> Callable[..., None]:
    """Runs statements as the owner of the tables, all or none, as if they were then committed."""

    def run(*statements: tuple[str, Any] | str) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                text, values = (statement, None) if isinstance(statement, str) else statement
                cursor.execute(text, values)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")

    return run


@pytest.fixture
def promotion(workspace: Any) -> PromotionRequest:
    return make.promotion(workspace)


def signing(promotion: PromotionRequest, user: Any, **values: Any) -> tuple[str, dict[str, Any]]:
    given = {
        "promotion": promotion.pk,
        "round": promotion.round,
        "user": user.pk,
        "role": "validator",
        "verdict": "approve",
        "digest": promotion.digest,
        **values,
    }
    return SIGN, given


def closing(promotion: PromotionRequest, status: str = "approved") -> tuple[str, list[Any]]:
    text = "UPDATE governance_promotionrequest SET status = %s, closed_at = now() WHERE id = %s"
    return text, [status, promotion.pk]


def test_a_person_with_the_role_signs(sql, promotion, person):
    sql(signing(promotion, person("validator")))

    assert promotion.signatures.count() == 1


def test_no_author_signs(sql, promotion, workspace):
    from tests.factories.accounts import MembershipFactory

    for author in {row.user for row in promotion.authors.all()}:
        MembershipFactory(workspace=workspace, user=author, role="validator")
        with pytest.raises(IntegrityError, match="signature_not_by_author"):
            sql(signing(promotion, author))

    assert promotion.signatures.count() == 0


def test_whoever_signed_does_not_become_an_author_of_that_content(sql, promotion, person):
    ada = person("validator")
    sql(signing(promotion, ada))

    with pytest.raises(IntegrityError, match="signature_not_by_author"):
        sql(
            (
                "INSERT INTO governance_requestauthor (promotion_id, user_id, how, identity) "
                "VALUES (%s, %s, 'git_author', 'x')",
                [promotion.pk, ada.pk],
            )
        )


def test_an_author_stays_one(sql, promotion):
    with pytest.raises(IntegrityError, match="never deleted"):
        sql(("DELETE FROM governance_requestauthor WHERE promotion_id = %s", [promotion.pk]))
    with pytest.raises(IntegrityError, match="author_is_kept"):
        sql("UPDATE governance_requestauthor SET user_id = NULL")

    assert RequestAuthor.objects.filter(user__isnull=True).count() == 0


def test_nobody_signs_twice(sql, promotion, person):
    ada = person("validator", "risk_officer")
    sql(signing(promotion, ada))

    with pytest.raises(IntegrityError, match="signature_once_per_person"):
        sql(signing(promotion, ada, role="risk_officer"))


def test_without_the_role_nobody_signs(sql, promotion, person):
    with pytest.raises(IntegrityError, match="signature_by_role"):
        sql(signing(promotion, person("risk_officer")))
    with pytest.raises(IntegrityError, match="signature_by_role"):
        sql(signing(promotion, person("validator", is_active=False)))


@pytest.mark.parametrize("change", [{"digest": "sha256:" + "0" * 64}, {"round": 99}])
def test_a_signature_names_the_present_content(sql, promotion, person, change):
    with pytest.raises(IntegrityError, match="signature_over_present_content"):
        sql(signing(promotion, person("validator"), **change))


def test_a_service_account_has_no_column_to_sign_in(sql, promotion):
    with pytest.raises(IntegrityError):
        sql(
            (
                SIGN,
                {
                    "promotion": promotion.pk,
                    "round": promotion.round,
                    "user": None,
                    "role": "validator",
                    "verdict": "approve",
                    "digest": promotion.digest,
                },
            )
        )


@pytest.mark.parametrize("status", ["rejected", "withdrawn", "expired", "invalidated"])
def test_nothing_is_signed_after_the_end(sql, promotion, person, status):
    sql(closing(promotion, status))

    with pytest.raises(IntegrityError, match="signature_while_open"):
        sql(signing(promotion, person("validator")))


def test_a_signature_never_changes_and_never_goes(sql, promotion, person):
    sql(signing(promotion, person("validator")))

    with pytest.raises(IntegrityError, match="does not change"):
        sql("UPDATE governance_signature SET verdict = 'reject'")
    with pytest.raises(IntegrityError, match="never deleted"):
        sql("DELETE FROM governance_signature")

    assert Signature.objects.get().verdict == "approve"


def test_approval_is_earned_by_signatures(sql, promotion, person):
    with pytest.raises(IntegrityError, match="0 of 1 signatures as validator"):
        sql(closing(promotion))
    with pytest.raises(IntegrityError, match="0 of 1 signatures as risk_officer"):
        sql(signing(promotion, person("validator")), closing(promotion))

    promotion.refresh_from_db()
    assert promotion.status == "open"
    assert promotion.signatures.count() == 0


def both(promotion: PromotionRequest, person: Any) -> list[tuple[str, Any]]:
    return [
        signing(promotion, person("validator")),
        signing(promotion, person("risk_officer"), role="risk_officer"),
    ]


def test_enough_signatures_and_passing_gates_approve(sql, promotion, person):
    sql(*both(promotion, person), closing(promotion))

    promotion.refresh_from_db()
    assert promotion.status == "approved"


def test_a_failing_gate_keeps_it_from_being_approved(sql, promotion, person):
    fail = "UPDATE governance_gateresult SET state = 'fails' WHERE position = 0"
    gone = "DELETE FROM governance_gateresult WHERE position = 0"

    for spoil in (fail, gone, fail.replace("fails", "could_not_compute")):
        with pytest.raises(IntegrityError, match="a blocking gate does not pass"):
            sql(*both(promotion, person), spoil, closing(promotion))

    assert set(GateResult.objects.values_list("state", flat=True)) == {"passes"}


def test_a_gate_that_only_warns_does_not(sql, promotion, person):
    warn = "UPDATE governance_gateresult SET state = 'fails', severity = 'warn' WHERE position = 0"

    sql(*both(promotion, person), warn, closing(promotion))


def test_a_rejection_keeps_it_from_being_approved(sql, promotion, person):
    no = signing(promotion, person("validator"), verdict="reject")

    with pytest.raises(IntegrityError, match="somebody rejected it"):
        sql(*both(promotion, person), no, closing(promotion))


def test_an_unmapped_author_keeps_it_from_being_approved(sql, promotion, person):
    unknown = (
        "INSERT INTO governance_requestauthor (promotion_id, how, identity) "
        "VALUES (%s, 'git_author', 'x@y')",
        [promotion.pk],
    )

    with pytest.raises(IntegrityError, match="an author maps to no person"):
        sql(*both(promotion, person), unknown, closing(promotion))


def test_the_digest_is_of_the_content(sql, promotion):
    with pytest.raises(IntegrityError, match="promotion_digest_is_of_content"):
        sql("UPDATE governance_promotionrequest SET content = '{}'")
    with pytest.raises(IntegrityError, match="promotion_digest_is_of_content"):
        sql(
            (
                "UPDATE governance_promotionrequest SET digest = %s, round = round + 1",
                ["sha256:" + "0" * 64],
            )
        )


def test_another_content_begins_another_round(sql, promotion, person):
    other = (
        "UPDATE governance_promotionrequest SET content = '{}', "
        "digest = 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'"
    )
    with pytest.raises(IntegrityError, match="request_round"):
        sql(other)
    with pytest.raises(IntegrityError, match="0 of 1 signatures"):
        sql(*both(promotion, person), f"{other}, round = round + 1", closing(promotion))


@pytest.mark.parametrize(
    "change",
    [
        "release_digest = 'x'",
        "comment = 'x'",
        "requested_by_id = requested_by_id + 1",
        "policy_revision_id = 0",
        "number = 99",
        "plan = '[]'",
    ],
)
def test_what_was_asked_for_does_not_change(sql, promotion, change):
    with pytest.raises(IntegrityError, match="request_is_fixed"):
        sql(f"UPDATE governance_promotionrequest SET {change}")


def test_a_request_goes_forward_only(sql, promotion):
    sql(closing(promotion, "withdrawn"))

    with pytest.raises(IntegrityError, match="request_goes_forward"):
        sql("UPDATE governance_promotionrequest SET status = 'open', closed_at = NULL")
    with pytest.raises(IntegrityError, match="never deleted"):
        sql("DELETE FROM governance_promotionrequest")


def test_an_approval_is_frozen_and_not_prolonged(sql, promotion, person):
    sql(*both(promotion, person), closing(promotion))

    with pytest.raises(IntegrityError, match="request_validity"):
        sql("UPDATE governance_promotionrequest SET valid_until = now() + interval '9 years'")
    with pytest.raises(IntegrityError, match="request_is_frozen"):
        sql(
            "UPDATE governance_promotionrequest SET content = '{}', round = round + 1, digest = "
            "'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'"
        )
    with pytest.raises(IntegrityError, match="gate_is_frozen"):
        sql("UPDATE governance_gateresult SET state = 'fails'")
    with pytest.raises(IntegrityError, match="gate_is_frozen"):
        sql("DELETE FROM governance_gateresult")


def test_no_request_is_born_approved(sql, promotion):
    copy = """
        INSERT INTO governance_promotionrequest
            (uid, workspace_id, number, model_id, version_id, environment_id, policy_revision_id,
             status, release_digest, content, digest, round, plan, refusals, comment,
             requested_by_id, opened_at, valid_until, closed_at, closed_reason)
        SELECT gen_random_uuid(), workspace_id, 99, model_id, version_id, environment_id,
               policy_revision_id, %(status)s, %(release)s, content, digest, 1, plan, refusals,
               '', requested_by_id, now(), valid_until, now(), ''
        FROM governance_promotionrequest
    """
    with pytest.raises(IntegrityError, match="request_starts_open"):
        sql((copy, {"status": "approved", "release": promotion.release_digest}))
    with pytest.raises(IntegrityError, match="request_names_its_release"):
        sql((copy, {"status": "open", "release": "sha256:" + "0" * 64}))


def test_one_request_is_open_per_model_and_environment(workspace, promotion):
    second = PromotionRequest.objects.get(pk=promotion.pk)
    second.pk, second.number = None, 99
    second.uid = make.uuid7()

    with (
        pytest.raises(IntegrityError, match="promotion_one_open_per_environment"),
        transaction.atomic(),
    ):
        second.save(force_insert=True)


def test_a_policys_revision_never_changes(sql, promotion):
    with pytest.raises(IntegrityError, match="does not change"):
        sql("UPDATE governance_policyrevision SET body = '{}'")
    with pytest.raises(IntegrityError, match="never deleted"):
        sql("DELETE FROM governance_policyrevision")


def together(conn: psycopg.Connection[Any], statements: Any) -> None:
    for text, values in statements:
        conn.execute(text, values)
    conn.commit()


@pytest.mark.django_db(transaction=True)
def test_the_application_can_do_no_more_than_the_owner(workspace, person):
    from tests.factories.accounts import MembershipFactory

    promotion = make.promotion(workspace)
    author = promotion.requested_by
    MembershipFactory(workspace=workspace, user=author, role="validator")
    ada = person("validator")
    services = json.loads((settings.VAR_DIR / "services.json").read_text())
    attempts = [
        ([signing(promotion, author)], "signature_not_by_author"),
        ([signing(promotion, ada, digest="sha256:" + "0" * 64)], "signature_over_present_content"),
        ([signing(promotion, ada), signing(promotion, ada)], "signature_once_per_person"),
        ([signing(promotion, ada), closing(promotion)], "approval_is_earned"),
        ([signing(promotion, ada), ("DELETE FROM governance_signature", None)], "never deleted"),
        ([("DELETE FROM governance_requestauthor", None)], "never deleted"),
        ([("UPDATE governance_policyrevision SET body = '{}'", None)], "does not change"),
        ([("UPDATE governance_promotionrequest SET release_digest = 'x'", None)], "is_fixed"),
        ([("TRUNCATE governance_signature CASCADE", None)], "permission denied"),
        ([("ALTER TABLE governance_signature DISABLE TRIGGER ALL", None)], "must be owner"),
    ]

    as_app = psycopg.connect(services["DATABASE_URL"], dbname=connection.settings_dict["NAME"])
    with contextlib.closing(as_app):
        assert as_app.execute("SELECT current_user").fetchone() == ("cs_app",)
        for statements, said in attempts:
            with pytest.raises(psycopg.Error, match=said):
                together(as_app, statements)
            as_app.rollback()

    promotion.refresh_from_db()
    assert promotion.status == "open"
    assert promotion.signatures.count() == 0
