"""What the three PostgreSQL roles may do with every table that comes after this migration.

It runs before any other table is made. A role that does not exist is passed over, so that a
cluster with other role names can be granted by hand; ``cs_owner`` is whoever runs the migrations.
"""

from django.db import migrations

GRANT = """
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'cs_app') THEN
        GRANT USAGE ON SCHEMA public TO cs_app;
        ALTER DEFAULT PRIVILEGES IN SCHEMA public
            GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO cs_app;
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO cs_app;
        -- Tables that are there already: django_migrations, and whatever another tool made.
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO cs_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO cs_app;
        IF to_regclass('public.django_migrations') IS NOT NULL THEN
            REVOKE INSERT, UPDATE, DELETE ON public.django_migrations FROM cs_app;
        END IF;
    END IF;
    -- The sealer reads the trail and nothing else: its grants stand in 0003, table by table.
    IF EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'cs_sealer') THEN
        GRANT USAGE ON SCHEMA public TO cs_sealer;
    END IF;
END
$$;
"""

REVOKE = """
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'cs_app') THEN
        ALTER DEFAULT PRIVILEGES IN SCHEMA public
            REVOKE SELECT, INSERT, UPDATE, DELETE ON TABLES FROM cs_app;
        ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE USAGE ON SEQUENCES FROM cs_app;
        REVOKE ALL ON ALL TABLES IN SCHEMA public FROM cs_app;
        REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM cs_app;
    END IF;
END
$$;
"""


class Migration(migrations.Migration):
    run_before = [("contenttypes", "0001_initial"), ("sessions", "0001_initial")]
    dependencies = []
    operations = [migrations.RunSQL(GRANT, REVOKE)]
