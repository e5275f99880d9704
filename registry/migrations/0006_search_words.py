"""What can be found: a tsvector beside each row, made by the database itself from its columns.

No Django field stands for these columns: a model that is loaded should not carry them along. The
triggers that hold rows still are told of them, because a BEFORE trigger sees a generated column
of the new row as NULL. Whoever defines these triggers again has to keep ``search_words``.
"""

from django.db import migrations, models

#: Punctuation that joins words in names ("credit-risk_v2.1") or makes the parser see tags and URLs.
_JOINTS = r"""-_./:@<>&"{}[](),;=|#\+*~"""


def _words(expression, most=20_000):
    """The text with its joints opened; cut, because a tsvector holds at most 1 MB."""
    return f"translate(left({expression}, {most}), '{_JOINTS}', '{' ' * len(_JOINTS)}')"


def _plain(expression, weight, most=20_000):
    return f"setweight(to_tsvector('simple', {_words(expression, most)}), '{weight}')"


def _prose(expression, weight):
    """As written, for what is typed letter by letter, and by its stems."""
    text = _words(expression)
    return f"setweight(to_tsvector('simple', {text}) || to_tsvector('english', {text}), '{weight}')"


def _all_of(*parts):
    return " || ".join(parts)


_COLUMNS = {
    "registry_registeredmodel": _all_of(
        _plain("name", "A"),
        _prose("purpose", "B"),
        _prose("description", "C"),
        _plain("tags::text", "C", 10_000),
    ),
    "registry_modelversion": _all_of(
        _plain("semantic_version || ' ' || split_part(release_digest, ':', 2)", "A"),
        _prose("description", "B"),
        _plain("tags::text", "C", 10_000),
        _plain("run_id || ' ' || git_commit || ' ' || logged_model_id || ' ' || source", "D"),
        _plain(
            "jsonb_path_query_array(release, '$.artifacts[*].*')::text",
            "D",
            10_000,
        ),
    ),
    "registry_cardrevision": _prose("jsonb_path_query_array(sections, '$.*')::text", "D"),
    "registry_dataset": _all_of(
        _plain("name", "A"),
        _prose("description", "B"),
        _plain("jsonb_path_query_array(columns, '$[*].name')::text", "C", 10_000),
        _plain("split_part(digest, ':', 2)", "D"),
    ),
}

# A short pending list: every search reads it from end to end.
COLUMNS = "".join(
    f"ALTER TABLE {table} ADD COLUMN search_words tsvector GENERATED ALWAYS AS ({made}) STORED;\n"
    f"CREATE INDEX {table}_search_words ON {table} USING gin (search_words)"
    " WITH (gin_pending_list_limit = 256);\n"
    for table, made in _COLUMNS.items()
)
NO_COLUMNS = "".join(f"ALTER TABLE {table} DROP COLUMN search_words;\n" for table in _COLUMNS)

_VERSION = """
DROP TRIGGER version_is_immutable ON registry_modelversion;
CREATE TRIGGER version_is_immutable BEFORE UPDATE ON registry_modelversion FOR EACH ROW
    EXECUTE FUNCTION cs_only_these_may_change(
        'description', 'tags', 'status', 'status_message', 'stage', 'updated_at', 'deleted_at'{});
DROP TRIGGER card_is_immutable ON registry_cardrevision;
CREATE TRIGGER card_is_immutable BEFORE UPDATE ON registry_cardrevision FOR EACH ROW
    EXECUTE FUNCTION cs_only_these_may_change({});
"""
_DATASET = """
CREATE OR REPLACE FUNCTION registry_dataset_keeps_its_content() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    free text[] := ARRAY['description'{}];
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
TRIGGERS = _VERSION.format(", 'search_words'", "'search_words'") + _DATASET.format(
    ", 'search_words'"
)
OLD_TRIGGERS = _VERSION.format("", "") + _DATASET.format("")


class Migration(migrations.Migration):
    dependencies = [("registry", "0005_version_latest_in_stage")]

    operations = [
        migrations.RunSQL(TRIGGERS, OLD_TRIGGERS),
        migrations.RunSQL(COLUMNS, NO_COLUMNS),
        migrations.AddIndex(
            model_name="alias",
            index=models.Index(
                condition=models.Q(ended_at=None), fields=["name", "model"], name="alias_open"
            ),
        ),
        migrations.AddIndex(
            model_name="modelversion",
            index=models.Index(
                condition=models.Q(deleted_at__isnull=False),
                fields=["model"],
                name="version_deleted",
            ),
        ),
        migrations.AddIndex(
            model_name="versionauthor",
            index=models.Index(
                condition=models.Q(user=None), fields=["version"], name="version_author_unmapped"
            ),
        ),
    ]
