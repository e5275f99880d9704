"""Every kind of event, in one place: an action that is not named here cannot be recorded."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What happened; the value stands in the hashed body, so a landed one is never renamed."""

    WORKSPACE_CREATED = "workspace.created"
    PERSON_CREATED = "person.created"
    PERSON_DEACTIVATED = "person.deactivated"
    ROLE_GRANTED = "role.granted"
    ROLE_REVOKED = "role.revoked"
    TOKEN_CREATED = "token.created"
    TOKEN_REVOKED = "token.revoked"
    SERVICE_ACCOUNT_CREATED = "service_account.created"
    SIGNED_IN = "signed_in"
    SIGNED_IN_FAILED = "signed_in.failed"
    PASSWORD_CHANGED = "password.changed"

    MODEL_CREATED = "model.created"
    MODEL_UPDATED = "model.updated"
    VERSION_REGISTERED = "version.registered"
    VERSION_TAGGED = "version.tagged"
    VERSION_AUTHOR_MAPPED = "version.author_mapped"
    ALIAS_MOVED = "alias.moved"
    ALIAS_REMOVED = "alias.removed"
    ALIAS_MOVE_REFUSED = "alias.move_refused"
    DATASET_UPLOADED = "dataset.uploaded"
    DATASET_PROFILED = "dataset.profiled"
    DATASET_REFUSED = "dataset.refused"

    ENDPOINT_CREATED = "endpoint.created"
    ENDPOINT_REFUSED = "endpoint.refused"
    ENDPOINT_PROBED = "endpoint.probed"
    ENDPOINT_RETIRED = "endpoint.retired"
    SECRET_SET = "secret.set"

    EVIDENCE_ASKED = "evidence.asked"
    EVIDENCE_COMPLETED = "evidence.completed"
    EVIDENCE_FAILED = "evidence.failed"
    EVIDENCE_CANCELLED = "evidence.cancelled"

    POLICY_CREATED = "policy.created"
    POLICY_REVISED = "policy.revised"
    REQUEST_OPENED = "request.opened"
    REQUEST_GATES_EVALUATED = "request.gates_evaluated"
    REQUEST_SIGNED = "request.signed"
    REQUEST_SIGN_REFUSED = "request.sign_refused"
    REQUEST_APPROVED = "request.approved"
    REQUEST_REJECTED = "request.rejected"
    REQUEST_WITHDRAWN = "request.withdrawn"
    REQUEST_EXPIRED = "request.expired"
    REQUEST_INVALIDATED = "request.invalidated"
    FINDING_OPENED = "finding.opened"
    FINDING_UPDATED = "finding.updated"
    FINDING_CLOSED = "finding.closed"

    ROLLOUT_STARTED = "rollout.started"
    ROLLOUT_STEP_INTENDED = "rollout.step_intended"
    ROLLOUT_STEP_DONE = "rollout.step_done"
    ROLLOUT_STEP_FAILED = "rollout.step_failed"
    ROLLOUT_PAUSED = "rollout.paused"
    ROLLOUT_RESUMED = "rollout.resumed"
    ROLLOUT_ABORTED = "rollout.aborted"
    ROLLOUT_SUCCEEDED = "rollout.succeeded"
    ROLLOUT_ROLLED_BACK = "rollout.rolled_back"
    ROLLOUT_NEEDS_OPERATOR = "rollout.needs_operator"
    ROUTE_CREATED = "route.created"
    ROUTE_CHANGED = "route.changed"
    GATEWAY_CREATED = "gateway.created"
    GATEWAY_CONFIG_REFUSED = "gateway.config_refused"

    MONITOR_CREATED = "monitor.created"
    MONITOR_UPDATED = "monitor.updated"
    ALERT_RULE_CREATED = "alert_rule.created"
    ALERT_RULE_UPDATED = "alert_rule.updated"
    ALERT_OPENED = "alert.opened"
    ALERT_ACKNOWLEDGED = "alert.acknowledged"
    ALERT_RESOLVED = "alert.resolved"
    LABELS_RECEIVED = "labels.received"
    PREDICTIONS_REFUSED = "predictions.refused"
    REPORT_RENDERED = "report.rendered"

    DESTINATION_ALLOWED = "destination.allowed"
    DESTINATION_REVOKED = "destination.revoked"
    ADDRESS_REFUSED = "address.refused"
    JOB_CANCELLED = "job.cancelled"
    JOB_FAILED = "job.failed"
    JOB_RETRIED = "job.retried"
    EXPORT_MADE = "export.made"
    AUDIT_VERIFIED = "audit.verified"

    @property
    def is_refusal(self) -> bool:
        """Whether it tells of something that was asked for and did not happen."""
        return self.name.endswith(("_REFUSED", "_FAILED"))
