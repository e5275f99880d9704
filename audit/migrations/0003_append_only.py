"""The trail can only grow: triggers, the sealer's queue, and exact grants.

Every trigger is ENABLE ALWAYS: ``session_replication_role = replica`` does not pass it by. Only
whoever owns the tables can switch one off, and nobody runs the application as owner; what an owner
does then is found by the signed tree and by checkpoints kept outside (``audit_verify``).
"""

from django.db import migrations

FUNCTIONS = r"""
CREATE FUNCTION public.audit_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;

-- The hash and the time are the database's, whatever the INSERT says.
CREATE FUNCTION public.audit_fill_event() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.recorded_at := clock_timestamp();
    NEW.leaf_hash := sha256('\x00'::bytea || convert_to(NEW.body, 'UTF8'));
    RETURN NEW;
END
$$;

CREATE FUNCTION public.audit_queue_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.audit_pending (event_id) VALUES (NEW.id);
    RETURN NULL;
END
$$;

-- One statement, one snapshot, smallest id first: an effect is never taken before its cause.
CREATE FUNCTION public.audit_take_pending(max_events integer) RETURNS SETOF bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM public.audit_pending
    WHERE event_id IN (
        SELECT event_id FROM public.audit_pending ORDER BY event_id LIMIT max_events
    )
    RETURNING event_id;
$$;

REVOKE ALL ON FUNCTION public.audit_refuse_change(), public.audit_fill_event(),
    public.audit_queue_event(), public.audit_take_pending(integer) FROM PUBLIC;
"""

CLOSED = ("audit_event", "audit_leaf", "audit_node", "audit_checkpoint")


def _trigger(name: str, table: str, when: str, function: str) -> str:
    return (
        f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION public.{function}();\n"
        f"ALTER TABLE public.{table} ENABLE ALWAYS TRIGGER {name};\n"
    )


TRIGGERS = "".join(
    [
        _trigger(
            "audit_fill",
            "audit_event",
            "BEFORE INSERT ON public.audit_event FOR EACH ROW",
            "audit_fill_event",
        ),
        _trigger(
            "audit_queue",
            "audit_event",
            "AFTER INSERT ON public.audit_event FOR EACH ROW",
            "audit_queue_event",
        ),
        # A personal value may be erased one day, never changed: its commitment would not fit.
        _trigger(
            "audit_no_change",
            "audit_pii",
            "BEFORE UPDATE ON public.audit_pii FOR EACH ROW",
            "audit_refuse_change",
        ),
        _trigger(
            "audit_no_truncate",
            "audit_pii",
            "BEFORE TRUNCATE ON public.audit_pii FOR EACH STATEMENT",
            "audit_refuse_change",
        ),
        *(
            _trigger(
                "audit_no_change",
                table,
                f"BEFORE UPDATE OR DELETE ON public.{table} FOR EACH ROW",
                "audit_refuse_change",
            )
            + _trigger(
                "audit_no_truncate",
                table,
                f"BEFORE TRUNCATE ON public.{table} FOR EACH STATEMENT",
                "audit_refuse_change",
            )
            for table in CLOSED
        ),
    ]
)

GRANTS = """
REVOKE ALL ON TRAIL FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'cs_app') THEN
        REVOKE ALL ON TRAIL FROM cs_app;
        GRANT SELECT ON TRAIL TO cs_app;
        -- Column by column: the id is the database's, so that the order of ids means something.
        GRANT INSERT (uid, recorded_at, body, leaf_hash, mac, at, workspace, actor_pid, action,
            object_type, object_id, object_name) ON public.audit_event TO cs_app;
        GRANT INSERT (event_id, field, salt, value) ON public.audit_pii TO cs_app;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = 'cs_sealer') THEN
        REVOKE ALL ON TRAIL FROM cs_sealer;
        GRANT SELECT ON public.audit_event, public.audit_pending TO cs_sealer;
        GRANT SELECT, INSERT ON public.audit_leaf, public.audit_checkpoint TO cs_sealer;
        GRANT SELECT, INSERT (level, index, hash) ON public.audit_node TO cs_sealer;
        GRANT EXECUTE ON FUNCTION public.audit_take_pending(integer) TO cs_sealer;
    END IF;
END
$$;
""".replace(
    "TRAIL", ", ".join(f"public.{table}" for table in (*CLOSED, "audit_pii", "audit_pending"))
)

UNDO = (
    "".join(
        f"DROP TRIGGER audit_no_change ON public.{table}; DROP TRIGGER audit_no_truncate ON public.{table};\n"
        for table in (*CLOSED, "audit_pii")
    )
    + """
DROP TRIGGER audit_fill ON public.audit_event;
DROP TRIGGER audit_queue ON public.audit_event;
DROP FUNCTION public.audit_refuse_change(), public.audit_fill_event(),
    public.audit_queue_event(), public.audit_take_pending(integer);
"""
)


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_initial")]
    operations = [migrations.RunSQL(FUNCTIONS + TRIGGERS + GRANTS, UNDO)]
