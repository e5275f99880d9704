"""Separation of duties, in PostgreSQL: the promises hold against raw SQL, not only against code.

Every function that decides about a request first locks the request's row, so two transactions
cannot each see the half that looks harmless (an author added while that person signs).
"""

from django.db import migrations

FUNCTIONS = """
CREATE FUNCTION governance_request_starts_open() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    release text;
    owner_model bigint;
BEGIN
    IF NEW.status <> 'open' THEN
        RAISE EXCEPTION 'request_starts_open: a request begins as open, not as %', NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT release_digest, model_id INTO release, owner_model
    FROM registry_modelversion WHERE id = NEW.version_id;
    IF release IS DISTINCT FROM NEW.release_digest OR owner_model IS DISTINCT FROM NEW.model_id THEN
        RAISE EXCEPTION 'request_names_its_release: model and release digest are the version''s'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION governance_request_changes() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    free text[] := ARRAY['status', 'content', 'digest', 'round', 'live_version_id',
                         'signable_since', 'valid_until', 'closed_at', 'closed_reason',
                         'rollout_uid'];
BEGIN
    IF (to_jsonb(NEW) - free) IS DISTINCT FROM (to_jsonb(OLD) - free) THEN
        RAISE EXCEPTION 'request_is_fixed: what was asked for does not change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status <> NEW.status AND NOT (
           (OLD.status = 'open'
            AND NEW.status IN ('approved', 'rejected', 'withdrawn', 'expired', 'invalidated'))
        OR (OLD.status = 'approved'
            AND NEW.status IN ('carried_out', 'rolled_back', 'withdrawn', 'expired',
                               'invalidated'))
        OR (OLD.status = 'carried_out' AND NEW.status IN ('rolled_back', 'invalidated'))
    ) THEN
        RAISE EXCEPTION 'request_goes_forward: not from % to %', OLD.status, NEW.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status <> 'open' AND (NEW.content, NEW.digest, NEW.round)
                                IS DISTINCT FROM (OLD.content, OLD.digest, OLD.round) THEN
        RAISE EXCEPTION 'request_is_frozen: what was signed does not change any more'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.digest IS DISTINCT FROM OLD.digest AND NEW.round <> OLD.round + 1)
       OR (NEW.digest IS NOT DISTINCT FROM OLD.digest AND NEW.round <> OLD.round) THEN
        RAISE EXCEPTION 'request_round: every new digest begins the next round'
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- A validity is given when it is approved; nobody prolongs it afterwards.
    IF OLD.status <> 'open' AND NEW.valid_until IS DISTINCT FROM OLD.valid_until THEN
        RAISE EXCEPTION 'request_validity: an approval is not prolonged'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION governance_approval_is_earned() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    request governance_promotionrequest%ROWTYPE;
    policy jsonb;
    wanted jsonb;
    signed int;
BEGIN
    SELECT * INTO request FROM governance_promotionrequest WHERE id = NEW.id;
    IF NOT FOUND OR request.status <> 'approved' THEN
        RETURN NULL;
    END IF;
    SELECT body INTO policy FROM governance_policyrevision WHERE id = request.policy_revision_id;
    IF coalesce(jsonb_array_length(policy -> 'approvals'), 0) = 0 THEN
        RAISE EXCEPTION 'approval_is_earned: the policy names no approvals'
            USING ERRCODE = 'check_violation';
    END IF;
    FOR wanted IN SELECT * FROM jsonb_array_elements(policy -> 'approvals') LOOP
        SELECT count(DISTINCT user_id) INTO signed FROM governance_signature
        WHERE promotion_id = request.id AND round = request.round AND digest = request.digest
          AND verdict = 'approve' AND role = wanted ->> 'role';
        IF signed < (wanted ->> 'count')::int THEN
            RAISE EXCEPTION 'approval_is_earned: % of % signatures as %',
                signed, wanted ->> 'count', wanted ->> 'role' USING ERRCODE = 'check_violation';
        END IF;
    END LOOP;
    IF EXISTS (SELECT 1 FROM governance_signature
               WHERE promotion_id = request.id AND round = request.round
                 AND verdict = 'reject') THEN
        RAISE EXCEPTION 'approval_is_earned: somebody rejected it'
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM governance_requestauthor
               WHERE promotion_id = request.id AND user_id IS NULL) THEN
        RAISE EXCEPTION 'approval_is_earned: an author maps to no person'
            USING ERRCODE = 'check_violation';
    END IF;
    -- Counted too, so that deleting the row of a failing gate does not make it pass.
    IF (SELECT count(*) FROM governance_gateresult
        WHERE promotion_id = request.id AND position < jsonb_array_length(policy -> 'gates'))
       <> jsonb_array_length(policy -> 'gates')
       OR EXISTS (SELECT 1 FROM governance_gateresult
                  WHERE promotion_id = request.id AND severity = 'block'
                    AND state NOT IN ('passes', 'not_applicable')) THEN
        RAISE EXCEPTION 'approval_is_earned: a blocking gate does not pass'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION governance_signature_is_valid() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    request governance_promotionrequest%ROWTYPE;
BEGIN
    SELECT * INTO request FROM governance_promotionrequest
    WHERE id = NEW.promotion_id FOR UPDATE;
    IF request.status <> 'open' THEN
        RAISE EXCEPTION 'signature_while_open: the request is %', request.status
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.digest <> request.digest OR NEW.round <> request.round THEN
        RAISE EXCEPTION 'signature_over_present_content: the digest is not the present one'
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM governance_requestauthor
               WHERE promotion_id = NEW.promotion_id AND user_id = NEW.user_id) THEN
        RAISE EXCEPTION 'signature_not_by_author: an author does not sign'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
                   WHERE m.workspace_id = request.workspace_id AND m.user_id = NEW.user_id
                     AND m.role = NEW.role AND u.is_active) THEN
        RAISE EXCEPTION 'signature_by_role: the person does not hold the role %', NEW.role
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION governance_author_is_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    state text;
    present_round int;
BEGIN
    SELECT status, round INTO state, present_round FROM governance_promotionrequest
    WHERE id = NEW.promotion_id FOR UPDATE;
    IF TG_OP = 'UPDATE' AND (OLD.user_id IS NOT NULL
       OR (to_jsonb(NEW) - 'user_id') IS DISTINCT FROM (to_jsonb(OLD) - 'user_id')) THEN
        RAISE EXCEPTION 'author_is_kept: an author may only be mapped to a person, once'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF state <> 'open' THEN
        RAISE EXCEPTION 'author_is_kept: the request is %', state
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- A new author begins a new round first (the digest covers the authors), which voids what that
    -- person may have signed; without that the row would contradict a standing signature.
    IF EXISTS (SELECT 1 FROM governance_signature
               WHERE promotion_id = NEW.promotion_id AND user_id = NEW.user_id
                 AND round = present_round) THEN
        RAISE EXCEPTION 'signature_not_by_author: this person has signed this content'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION governance_gate_while_open() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    state text;
BEGIN
    SELECT status INTO state FROM governance_promotionrequest
    WHERE id = CASE WHEN TG_OP = 'DELETE' THEN OLD.promotion_id ELSE NEW.promotion_id END
    FOR UPDATE;
    IF state <> 'open' THEN
        RAISE EXCEPTION 'gate_is_frozen: the request is %', state
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.promotion_id <> OLD.promotion_id THEN
        RAISE EXCEPTION 'gate_is_frozen: a gate stays with its request'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;

ALTER TABLE governance_promotionrequest ADD CONSTRAINT promotion_digest_is_of_content
    CHECK (digest = 'sha256:' || encode(sha256(convert_to(content, 'UTF8')), 'hex'));

CREATE TRIGGER starts_open BEFORE INSERT ON governance_promotionrequest
    FOR EACH ROW EXECUTE FUNCTION governance_request_starts_open();
CREATE TRIGGER changes BEFORE UPDATE ON governance_promotionrequest
    FOR EACH ROW EXECUTE FUNCTION governance_request_changes();
CREATE TRIGGER never_deleted BEFORE DELETE ON governance_promotionrequest
    FOR EACH ROW EXECUTE FUNCTION cs_is_never_deleted();
CREATE CONSTRAINT TRIGGER approval_is_earned
    AFTER INSERT OR UPDATE ON governance_promotionrequest DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.status = 'approved')
    EXECUTE FUNCTION governance_approval_is_earned();

CREATE TRIGGER is_valid BEFORE INSERT ON governance_signature
    FOR EACH ROW EXECUTE FUNCTION governance_signature_is_valid();
CREATE TRIGGER never_changed BEFORE UPDATE ON governance_signature
    FOR EACH ROW EXECUTE FUNCTION cs_only_these_may_change();
CREATE TRIGGER never_deleted BEFORE DELETE ON governance_signature
    FOR EACH ROW EXECUTE FUNCTION cs_is_never_deleted();

CREATE TRIGGER is_kept BEFORE INSERT OR UPDATE ON governance_requestauthor
    FOR EACH ROW EXECUTE FUNCTION governance_author_is_kept();
CREATE TRIGGER never_deleted BEFORE DELETE ON governance_requestauthor
    FOR EACH ROW EXECUTE FUNCTION cs_is_never_deleted();

CREATE TRIGGER while_open BEFORE INSERT OR UPDATE OR DELETE ON governance_gateresult
    FOR EACH ROW EXECUTE FUNCTION governance_gate_while_open();

CREATE TRIGGER never_changed BEFORE UPDATE ON governance_policyrevision
    FOR EACH ROW EXECUTE FUNCTION cs_only_these_may_change();
CREATE TRIGGER never_deleted BEFORE DELETE ON governance_policyrevision
    FOR EACH ROW EXECUTE FUNCTION cs_is_never_deleted();
CREATE TRIGGER never_deleted BEFORE DELETE ON governance_policy
    FOR EACH ROW EXECUTE FUNCTION cs_is_never_deleted();
CREATE TRIGGER never_deleted BEFORE DELETE ON governance_finding
    FOR EACH ROW EXECUTE FUNCTION cs_is_never_deleted();
"""

BACK = """
DROP TRIGGER starts_open ON governance_promotionrequest;
DROP TRIGGER changes ON governance_promotionrequest;
DROP TRIGGER never_deleted ON governance_promotionrequest;
DROP TRIGGER approval_is_earned ON governance_promotionrequest;
DROP TRIGGER is_valid ON governance_signature;
DROP TRIGGER never_changed ON governance_signature;
DROP TRIGGER never_deleted ON governance_signature;
DROP TRIGGER is_kept ON governance_requestauthor;
DROP TRIGGER never_deleted ON governance_requestauthor;
DROP TRIGGER while_open ON governance_gateresult;
DROP TRIGGER never_changed ON governance_policyrevision;
DROP TRIGGER never_deleted ON governance_policyrevision;
DROP TRIGGER never_deleted ON governance_policy;
DROP TRIGGER never_deleted ON governance_finding;
ALTER TABLE governance_promotionrequest DROP CONSTRAINT promotion_digest_is_of_content;
DROP FUNCTION governance_request_starts_open();
DROP FUNCTION governance_request_changes();
DROP FUNCTION governance_approval_is_earned();
DROP FUNCTION governance_signature_is_valid();
DROP FUNCTION governance_author_is_kept();
DROP FUNCTION governance_gate_while_open();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0001_initial"),
        ("registry", "0002_immutable"),
    ]
    operations = [migrations.RunSQL(FUNCTIONS, BACK)]
