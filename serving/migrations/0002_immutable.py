"""An endpoint keeps its URL, version, mapping and columns: evidence was measured through them."""

from django.db import migrations

TRIGGERS = """
CREATE TRIGGER endpoint_keeps_its_content BEFORE UPDATE ON serving_endpoint FOR EACH ROW
    EXECUTE FUNCTION cs_only_these_may_change(
        'timeout_ms', 'max_batch_rows', 'state', 'state_reason', 'probed_at', 'probe_ms',
        'probe_detail', 'retired_at');
CREATE TRIGGER endpoint_stays BEFORE DELETE ON serving_endpoint FOR EACH ROW
    EXECUTE FUNCTION cs_is_never_deleted();
"""

BACK = """
DROP TRIGGER endpoint_keeps_its_content ON serving_endpoint;
DROP TRIGGER endpoint_stays ON serving_endpoint;
"""


class Migration(migrations.Migration):
    dependencies = [("serving", "0001_initial"), ("registry", "0002_immutable")]

    operations = [migrations.RunSQL(TRIGGERS, BACK)]
