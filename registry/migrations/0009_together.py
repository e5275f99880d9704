"""Promoted together or not at all, and no circles: held by the database."""

from django.db import migrations, models

TRIGGERS = """
CREATE FUNCTION registry_live_versions_stand_whole() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NEW.ended_at IS NULL THEN
        -- It stands: so must everything that it calls, when the transaction ends.
        IF EXISTS (
            SELECT 1 FROM registry_versioncomponent AS part
            JOIN registry_modelversion AS caller ON caller.id = part.version_id
            JOIN registry_environment AS place
                ON place.workspace_id = caller.workspace_id AND place.alias = NEW.name
            JOIN registry_alias AS present ON present.id = NEW.id AND present.ended_at IS NULL
            WHERE part.version_id = NEW.version_id AND NOT EXISTS (
                SELECT 1 FROM registry_alias AS other
                WHERE other.version_id = part.component_id AND other.name = NEW.name
                    AND other.ended_at IS NULL
            )
        ) THEN
            RAISE EXCEPTION 'a version is live only together with the versions that it calls'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'alias_stands_whole';
        END IF;
    ELSIF EXISTS (
        SELECT 1 FROM registry_versioncomponent AS part
        JOIN registry_modelversion AS caller ON caller.id = part.version_id
        JOIN registry_environment AS place
            ON place.workspace_id = caller.workspace_id AND place.alias = NEW.name
        JOIN registry_alias AS parent
            ON parent.version_id = part.version_id AND parent.name = NEW.name
            AND parent.ended_at IS NULL
        WHERE part.component_id = NEW.version_id AND NOT EXISTS (
            SELECT 1 FROM registry_alias AS other
            WHERE other.version_id = NEW.version_id AND other.name = NEW.name
                AND other.ended_at IS NULL
        )
    ) THEN
        RAISE EXCEPTION 'a live version calls this one: it goes only together with that'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'alias_stands_whole';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER alias_stands_whole AFTER INSERT OR UPDATE ON registry_alias
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION registry_live_versions_stand_whole();

CREATE FUNCTION registry_components_come_first() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM registry_alias WHERE version_id = NEW.version_id) THEN
        RAISE EXCEPTION 'a version that was named calls nothing new any more'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'component_comes_first';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER component_comes_first BEFORE INSERT ON registry_versioncomponent FOR EACH ROW
    EXECUTE FUNCTION registry_components_come_first();
"""

BACK = """
DROP TRIGGER alias_stands_whole ON registry_alias;
DROP TRIGGER component_comes_first ON registry_versioncomponent;
DROP FUNCTION registry_live_versions_stand_whole();
DROP FUNCTION registry_components_come_first();
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0008_upload_state")]

    operations = [
        migrations.AddConstraint(
            model_name="modelversion",
            constraint=models.CheckConstraint(
                condition=models.Q(derived_from=None) | models.Q(derived_from__lt=models.F("id")),
                name="version_parent_is_older",
            ),
        ),
        migrations.AddConstraint(
            model_name="versioncomponent",
            constraint=models.CheckConstraint(
                condition=models.Q(component__lt=models.F("version")),
                name="component_is_older",
            ),
        ),
        migrations.RunSQL(TRIGGERS, BACK),
    ]
