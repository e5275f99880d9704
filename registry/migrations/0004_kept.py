"""Every version knows its workspace; what of the new tables never changes is held by triggers."""

import django.db.models.deletion
from django.db import migrations, models

WORKSPACES = """
ALTER TABLE registry_modelversion DISABLE TRIGGER version_is_immutable;
UPDATE registry_modelversion AS version SET workspace_id = model.workspace_id
    FROM registry_registeredmodel AS model WHERE model.id = version.model_id;
SET CONSTRAINTS ALL IMMEDIATE;
"""

TRIGGERS = """
DROP TRIGGER version_is_immutable ON registry_modelversion;
CREATE TRIGGER version_is_immutable BEFORE UPDATE ON registry_modelversion FOR EACH ROW
    EXECUTE FUNCTION cs_only_these_may_change(
        'description', 'tags', 'status', 'status_message', 'stage', 'updated_at', 'deleted_at');
CREATE TRIGGER component_is_immutable BEFORE UPDATE ON registry_versioncomponent FOR EACH ROW
    EXECUTE FUNCTION cs_only_these_may_change();
CREATE TRIGGER component_stays BEFORE DELETE ON registry_versioncomponent FOR EACH ROW
    EXECUTE FUNCTION cs_is_never_deleted();
CREATE TRIGGER card_is_immutable BEFORE UPDATE ON registry_cardrevision FOR EACH ROW
    EXECUTE FUNCTION cs_only_these_may_change();
CREATE TRIGGER card_stays BEFORE DELETE ON registry_cardrevision FOR EACH ROW
    EXECUTE FUNCTION cs_is_never_deleted();
CREATE TRIGGER artifact_keeps_its_content BEFORE UPDATE ON registry_artifact FOR EACH ROW
    EXECUTE FUNCTION cs_only_these_may_change('state', 'state_reason', 'inspection');
CREATE TRIGGER artifact_stays BEFORE DELETE ON registry_artifact FOR EACH ROW
    EXECUTE FUNCTION cs_is_never_deleted();
"""

BACK = """
DROP TRIGGER version_is_immutable ON registry_modelversion;
CREATE TRIGGER version_is_immutable BEFORE UPDATE ON registry_modelversion FOR EACH ROW
    EXECUTE FUNCTION cs_only_these_may_change('description', 'tags');
DROP TRIGGER component_is_immutable ON registry_versioncomponent;
DROP TRIGGER component_stays ON registry_versioncomponent;
DROP TRIGGER card_is_immutable ON registry_cardrevision;
DROP TRIGGER card_stays ON registry_cardrevision;
DROP TRIGGER artifact_keeps_its_content ON registry_artifact;
DROP TRIGGER artifact_stays ON registry_artifact;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("registry", "0003_contract"),
    ]

    operations = [
        migrations.RunSQL(WORKSPACES, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="modelversion",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.workspace",
            ),
        ),
        migrations.RunSQL(TRIGGERS, BACK),
    ]
