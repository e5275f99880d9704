"""Releases, alias history, datasets and lineage keep what they said: triggers, not good manners."""

from django.db import migrations

FUNCTIONS = """
CREATE FUNCTION cs_only_these_may_change() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    -- The columns that may change. Without arguments TG_ARGV is NULL, which would allow all.
    free text[] := COALESCE(TG_ARGV, ARRAY[]::text[]);
BEGIN
    IF (to_jsonb(NEW) - free) IS DISTINCT FROM (to_jsonb(OLD) - free) THEN
        RAISE EXCEPTION 'a row of % does not change any more', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION cs_is_never_deleted() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION 'a row of % is never deleted', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION registry_alias_only_ends() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
       OR (to_jsonb(NEW) - 'ended_at') IS DISTINCT FROM (to_jsonb(OLD) - 'ended_at') THEN
        RAISE EXCEPTION 'a row of alias history may only be ended, once'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION registry_author_is_only_mapped() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.user_id IS NOT NULL
       OR (to_jsonb(NEW) - 'user_id') IS DISTINCT FROM (to_jsonb(OLD) - 'user_id') THEN
        RAISE EXCEPTION 'an author may only be mapped to a person, once'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION registry_dataset_keeps_its_content() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    free text[] := ARRAY['description'];
BEGIN
    IF OLD.state = 'profiling' THEN
        free := free || ARRAY['state', 'state_reason', 'rows', 'columns', 'table_name',
                              'table_digest'];
    END IF;
    IF (to_jsonb(NEW) - free) IS DISTINCT FROM (to_jsonb(OLD) - free) THEN
        RAISE EXCEPTION 'the content of a dataset does not change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

TRIGGERS = """
CREATE TRIGGER version_is_immutable BEFORE UPDATE ON registry_modelversion FOR EACH ROW
    EXECUTE FUNCTION cs_only_these_may_change('description', 'tags');
CREATE TRIGGER version_stays BEFORE DELETE ON registry_modelversion FOR EACH ROW
    EXECUTE FUNCTION cs_is_never_deleted();
CREATE TRIGGER alias_only_ends BEFORE UPDATE ON registry_alias FOR EACH ROW
    EXECUTE FUNCTION registry_alias_only_ends();
CREATE TRIGGER alias_stays BEFORE DELETE ON registry_alias FOR EACH ROW
    EXECUTE FUNCTION cs_is_never_deleted();
CREATE TRIGGER version_author_is_only_mapped BEFORE UPDATE ON registry_versionauthor FOR EACH ROW
    EXECUTE FUNCTION registry_author_is_only_mapped();
CREATE TRIGGER version_author_stays BEFORE DELETE ON registry_versionauthor FOR EACH ROW
    EXECUTE FUNCTION cs_is_never_deleted();
CREATE TRIGGER version_dataset_is_immutable BEFORE UPDATE ON registry_versiondataset FOR EACH ROW
    EXECUTE FUNCTION cs_only_these_may_change();
CREATE TRIGGER version_dataset_stays BEFORE DELETE ON registry_versiondataset FOR EACH ROW
    EXECUTE FUNCTION cs_is_never_deleted();
CREATE TRIGGER dataset_keeps_its_content BEFORE UPDATE ON registry_dataset FOR EACH ROW
    EXECUTE FUNCTION registry_dataset_keeps_its_content();
CREATE TRIGGER dataset_stays BEFORE DELETE ON registry_dataset FOR EACH ROW
    EXECUTE FUNCTION cs_is_never_deleted();
"""

BACK = """
DROP TRIGGER version_is_immutable ON registry_modelversion;
DROP TRIGGER version_stays ON registry_modelversion;
DROP TRIGGER alias_only_ends ON registry_alias;
DROP TRIGGER alias_stays ON registry_alias;
DROP TRIGGER version_author_is_only_mapped ON registry_versionauthor;
DROP TRIGGER version_author_stays ON registry_versionauthor;
DROP TRIGGER version_dataset_is_immutable ON registry_versiondataset;
DROP TRIGGER version_dataset_stays ON registry_versiondataset;
DROP TRIGGER dataset_keeps_its_content ON registry_dataset;
DROP TRIGGER dataset_stays ON registry_dataset;
DROP FUNCTION cs_only_these_may_change();
DROP FUNCTION cs_is_never_deleted();
DROP FUNCTION registry_alias_only_ends();
DROP FUNCTION registry_author_is_only_mapped();
DROP FUNCTION registry_dataset_keeps_its_content();
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial")]

    operations = [migrations.RunSQL(FUNCTIONS + TRIGGERS, BACK)]
