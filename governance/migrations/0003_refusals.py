"""A request remembers why evidence could not be asked for, so that its gates can say so."""

from django.db import migrations, models

FORTH = """
CREATE OR REPLACE FUNCTION governance_request_changes() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    free text[] := ARRAY['status', 'content', 'digest', 'round', 'live_version_id',
                         'signable_since', 'valid_until', 'closed_at', 'closed_reason',
                         'rollout_uid', 'refusals'];
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
"""

BACK = """
CREATE OR REPLACE FUNCTION governance_request_changes() RETURNS trigger
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
"""


class Migration(migrations.Migration):
    dependencies = [
        ("governance", "0002_constraints"),
    ]

    operations = [
        migrations.RunSQL(FORTH, BACK),
        migrations.AddField(
            model_name="promotionrequest",
            name="refusals",
            field=models.JSONField(
                default=dict, help_text="why evidence could not be asked for, by “kind on dataset”"
            ),
        ),
    ]
