"""Complete evidence never changes and is never deleted; predictions files stay as uploaded."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION evaluation_evidence_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.state = 'complete' THEN
        RAISE EXCEPTION 'complete evidence does not change and is never deleted'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'evidence is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    -- What was asked stays as it was asked; only the answer is still open.
    IF (OLD.uid, OLD.workspace_id, OLD.kind, OLD.origin, OLD.version_id, OLD.seed, OLD.params,
        OLD.created_by_pid, OLD.created_at)
       IS DISTINCT FROM
       (NEW.uid, NEW.workspace_id, NEW.kind, NEW.origin, NEW.version_id, NEW.seed, NEW.params,
        NEW.created_by_pid, NEW.created_at)
       OR NEW.baseline_id IS DISTINCT FROM OLD.baseline_id
       OR NEW.dataset_id IS DISTINCT FROM OLD.dataset_id
       OR NEW.predictions_id IS DISTINCT FROM OLD.predictions_id
       OR NEW.baseline_predictions_id IS DISTINCT FROM OLD.baseline_predictions_id THEN
        RAISE EXCEPTION 'what evidence was asked for does not change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION evaluation_predictions_stay() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION 'a predictions file does not change and is never deleted'
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER evidence_stays BEFORE UPDATE OR DELETE ON evaluation_evidence FOR EACH ROW
    EXECUTE FUNCTION evaluation_evidence_stays();
CREATE TRIGGER predictions_stay BEFORE UPDATE OR DELETE ON evaluation_predictionsfile
    FOR EACH ROW EXECUTE FUNCTION evaluation_predictions_stay();
"""

BACK = """
DROP TRIGGER evidence_stays ON evaluation_evidence;
DROP TRIGGER predictions_stay ON evaluation_predictionsfile;
DROP FUNCTION evaluation_evidence_stays();
DROP FUNCTION evaluation_predictions_stay();
"""


class Migration(migrations.Migration):
    dependencies = [("evaluation", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACK)]
