"""A big inventory in seconds: generate_series, straight into a scratch database.

As superuser with triggers off: what services and triggers check one row at a time is here simply
made right, so that 100,000 versions take seconds and what is measured afterwards is reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

if TYPE_CHECKING:
    from psycopg import Connection

_TEXT = """
credit risk fraud churn flight delay mortgage income claim price demand stock basket click
rank search route queue sensor defect energy load weather crop soil tumour dose sepsis
triage stay readmission lead quote offer coupon renewal lapse default limit score bureau
ledger invoice payment merchant device session support ticket intent language document
summary caption image scan voice speech driver trip parcel depot shelf store region market
segment campaign email reply ad bid auction loan card account transfer alert audit case
gradient boosting forest linear neural embedding baseline retrained january february march
autumn winter quarter monthly weekly nightly holdout sample balanced weighted calibrated
pruned quantised distilled feature drift threshold recall precision latency batch stream
"""
_WORDS = _TEXT.split()

_MODELS: LiteralString = """
INSERT INTO registry_registeredmodel (name, description, purpose, kind, tier, tags, next_version,
    owner_id, workspace_id, deployment_job_id, gated_at_registration, created_at, updated_at)
SELECT w[1 + n %% array_length(w, 1)] || '-' || w[1 + (n * 7 / 3) %% array_length(w, 1)]
        || '-' || n,
    'About ' || w[1 + (n * 11) %% array_length(w, 1)] || ' and '
        || w[1 + (n * 13) %% array_length(w, 1)] || ', kept by team ' || n %% 37,
    CASE WHEN n %% 50 = 0 THEN '' ELSE 'Scores ' || w[1 + (n * 17) %% array_length(w, 1)]
        || ' for ' || w[1 + (n * 19) %% array_length(w, 1)] || '; not for anything else.' END,
    (ARRAY['binary', 'regression', 'multiclass', 'ranking'])[1 + n %% 4], 1 + n %% 3,
    jsonb_build_object('team', 'team-' || n %% 37, 'domain', w[1 + n %% 20]),
    CASE WHEN n %% 100 = 0 THEN 1 ELSE %(versions)s + 1 END,
    (SELECT id FROM accounts_user ORDER BY id OFFSET n %% 20 LIMIT 1), %(workspace)s, '', false,
    now() - interval '400 days' + n * interval '1 minute', now() - interval '9 days'
FROM generate_series(1, %(models)s) AS n, (SELECT %(words)s::text[] AS w) AS words
"""

_VERSIONS: LiteralString = """
INSERT INTO registry_modelversion (uid, number, release, release_digest, consumption, source,
    run_id, git_commit, decision_threshold, signature, reported_metrics, description, tags,
    created_at, created_by_id, model_id, derivation, logged_model_id, run_link, semantic_version,
    stage, status, status_message, updated_at, workspace_id)
SELECT gen_random_uuid(), v, jsonb_build_object('release_version', 1, 'source', '', 'consumption',
        'online', 'decision_threshold', '0.5', 'artifacts', jsonb_build_array(jsonb_build_object(
        'name', 'model.onnx', 'size', 1000, 'sha256', md5(m.id || ':' || v) || md5(v || '-'))),
        'signature', jsonb_build_object('inputs', jsonb_build_array(), 'outputs',
        jsonb_build_array()), 'datasets', jsonb_build_array(), 'components', jsonb_build_array()),
    'sha256:' || md5(m.id || '/' || v) || md5(v || '/' || m.id),
    (ARRAY['online', 'batch', 'table', 'stream'])[1 + v %% 4],
    's3://models/' || m.id || '/' || v, md5('run' || m.id || v),
    md5('git' || m.id || v) || 'abcd1234',
    0.5, '{}', jsonb_build_object('auc', 0.7 + (v %% 10) / 100.0),
    'The ' || w[1 + ((m.id * 31 + v * 7) %% array_length(w, 1))::int] || ' '
        || w[1 + ((m.id * 3 + v * 43) %% array_length(w, 1))::int] || ' release, retrained on '
        || w[1 + ((m.id * 5 + v * 11) %% array_length(w, 1))::int] || ' data',
    jsonb_build_object('data', w[1 + ((m.id + v) %% 60)::int]),
    m.created_at + v * interval '1 day', m.owner_id, m.id, '', '', '', '1.' || v || '.0', 'None',
    'READY', '', m.created_at + v * interval '1 day', m.workspace_id
FROM registry_registeredmodel AS m, generate_series(1, m.next_version - 1) AS v,
    (SELECT %(words)s::text[] AS w) AS words
WHERE m.workspace_id = %(workspace)s
"""

_ALIASES: LiteralString = """
INSERT INTO registry_alias (name, started_at, ended_at, moved_by_pid, reference, version_id,
    model_id)
SELECT a.name, v.created_at + interval '1 hour',
    CASE WHEN a.step = 0 THEN NULL ELSE v.created_at + interval '25 hours' END, 'p:bench',
    'promotion:' || gen_random_uuid(), v.id, v.model_id
FROM registry_modelversion AS v
JOIN registry_registeredmodel AS m ON m.id = v.model_id,
    (VALUES ('champion', 0), ('champion', 1), ('champion', 2), ('staging', 0)) AS a(name, step)
WHERE m.workspace_id = %(workspace)s AND m.id %% 5 < 3
    AND v.number = m.next_version - 1 - a.step - m.id %% 2 AND v.number > 0
"""

_CARDS: LiteralString = """
INSERT INTO registry_cardrevision (number, sections, digest, created_at, edited_by_id, version_id)
SELECT 1, jsonb_build_object('intended_use',
    'Used for ' || w[1 + (v.id * 23 %% array_length(w, 1))::int]
    || ' decisions by people who know it.', 'limits', 'Never seen: '
    || w[1 + (v.id * 29 %% array_length(w, 1))::int]), 'sha256:' || md5(v.id::text) || md5('c'),
    now(), v.created_by_id, v.id
FROM registry_modelversion AS v, (SELECT %(words)s::text[] AS w) AS words
WHERE v.workspace_id = %(workspace)s AND v.number %% 5 = 0
"""

_SIGNED: LiteralString = """
WITH policy AS (
    INSERT INTO governance_policy (uid, name, next_revision, workspace_id, created_at)
    VALUES (gen_random_uuid(), 'bench', 2, %(workspace)s, now()) RETURNING id
), revision AS (
    INSERT INTO governance_policyrevision (number, source, body, digest, tiers, environment, kinds,
        created_by_pid, created_by_label, policy_id)
    SELECT 1, '', '{"approvals": []}', 'sha256:0', '{1,2,3}', 'production', '{}', 'p:bench', '', id
    FROM policy RETURNING id
), asked AS (
    INSERT INTO governance_promotionrequest (uid, number, status, release_digest, content, digest,
        round, plan, comment, opened_at, valid_until, closed_at, closed_reason, environment_id,
        model_id, policy_revision_id, requested_by_id, version_id, workspace_id, refusals)
    SELECT substr(a.reference, 11)::uuid, row_number() OVER (ORDER BY a.id), 'carried_out',
        v.release_digest,
        '{}', 'sha256:' || encode(sha256('{}'), 'hex'), 1, '{}', '', a.started_at,
        a.started_at + interval '1 year', a.started_at, '',
        (SELECT id FROM registry_environment WHERE workspace_id = %(workspace)s
            AND alias = 'champion'),
        a.model_id, revision.id, v.created_by_id, v.id, %(workspace)s, '{}'
    FROM registry_alias AS a JOIN registry_modelversion AS v ON v.id = a.version_id, revision
    WHERE v.workspace_id = %(workspace)s AND a.name = 'champion'
    RETURNING id, opened_at, requested_by_id, digest
)
INSERT INTO governance_signature (uid, round, role, verdict, meaning, digest, session_sha256,
    signed_at, promotion_id, user_id)
SELECT gen_random_uuid(), 1, 'validator', 'approve', 'I have validated it', digest, '', opened_at,
    id, requested_by_id FROM asked
"""

_BESIDE: LiteralString = """
INSERT INTO governance_finding (uid, number, severity, title, description, state, resolution,
    source, reference, opened_by_pid, opened_by_label, opened_at, model_id, workspace_id)
SELECT gen_random_uuid(), row_number() OVER (ORDER BY m.id),
    (ARRAY['high', 'medium', 'low'])[1 + m.id %% 3],
    'Look at it', '', 'open', '', 'person', '', 'p:bench', '',
    now() - m.id %% 60 * interval '1 day', m.id, m.workspace_id
FROM registry_registeredmodel AS m WHERE m.workspace_id = %(workspace)s AND m.id %% 20 = 0;
"""

_MONITORS: LiteralString = """
WITH data AS (
    INSERT INTO registry_dataset (uid, name, description, digest, format, storage_name, size_bytes,
        state, state_reason, table_name, table_digest, rows, columns, label_column, id_column,
        time_column, created_by_pid, workspace_id)
    SELECT gen_random_uuid(), 'reference-' || %(workspace)s, 'Rows of January', 'sha256:00',
        'parquet', 'x', 1, 'ready', '', 'x', 'sha256:00', 1, '[{"name": "income"}]', '', '', '',
        'p:bench', %(workspace)s
    RETURNING id)
INSERT INTO monitoring_monitor (uid, name, window_kind, id_column, time_column, score_column,
    label_column, decision_threshold, columns, id_key, created_by_pid, environment_id, model_id,
    reference_id, version_id, workspace_id)
SELECT gen_random_uuid(), m.name, 'day', 'id', 'at', 'score', '', 0.5, '[]', '', 'p:bench',
    (SELECT id FROM registry_environment WHERE workspace_id = %(workspace)s AND alias = 'champion'),
    m.id, data.id, a.version_id, m.workspace_id
FROM registry_registeredmodel AS m
JOIN registry_alias AS a ON a.model_id = m.id AND a.name = 'champion' AND a.ended_at IS NULL, data
WHERE m.workspace_id = %(workspace)s AND m.id %% 2 = 0
"""


def fill(admin: Connection, *, workspace: int, models: int, versions: int) -> None:
    """So many models, ten versions each or what ``versions`` says, in one workspace."""
    given = {"workspace": workspace, "models": models, "versions": versions, "words": _WORDS}
    with admin.transaction(), admin.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in (_MODELS, _VERSIONS, _ALIASES, _CARDS, _SIGNED, _BESIDE, _MONITORS):
            cursor.execute(statement, given)
    # As autovacuum would have left the tables some minutes later.
    admin.autocommit = True
    admin.execute("VACUUM ANALYZE")
