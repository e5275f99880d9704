"""Every action as the end of a sentence that begins with who did it: "Ada Lovelace moved …".

``{name}`` is the object's name as it was then. A refusal ends with the code of its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.actions import Action

PHRASES: dict[Action, str] = {
    Action.WORKSPACE_CREATED: "created the workspace {name}",
    Action.PERSON_CREATED: "added {name} as a person",
    Action.PERSON_DEACTIVATED: "deactivated {name}",
    Action.ROLE_GRANTED: "granted a role to {name}",
    Action.ROLE_REVOKED: "took a role from {name}",
    Action.TOKEN_CREATED: "made the token {name}",
    Action.TOKEN_REVOKED: "revoked the token {name}",
    Action.SERVICE_ACCOUNT_CREATED: "created the service account {name}",
    Action.PASSWORD_CHANGED: "changed the password of {name}",
    Action.SIGNED_IN: "signed in",
    Action.SIGNED_IN_FAILED: "could not sign in",
    Action.MODEL_CREATED: "registered the model {name}",
    Action.MODEL_UPDATED: "changed the model {name}",
    Action.VERSION_REGISTERED: "registered the version {name}",
    Action.VERSION_TAGGED: "tagged the version {name}",
    Action.VERSION_AUTHOR_MAPPED: "named the person behind an author of {name}",
    Action.ALIAS_MOVED: "moved the alias {name}",
    Action.ALIAS_REMOVED: "removed the alias {name}",
    Action.ALIAS_MOVE_REFUSED: "was not let move the alias {name}",
    Action.MODEL_RENAMED: "renamed the model {name}",
    Action.MODEL_DELETE_REFUSED: "was not let delete the model {name}",
    Action.VERSION_STAGE_CHANGED: "changed the stage of {name}",
    Action.VERSION_STATUS_CHANGED: "settled the registration of {name}",
    Action.VERSION_DELETE_REFUSED: "was not let delete the version {name}",
    Action.VERSION_LINKED: "added a link to {name}",
    Action.VERSION_UNLINKED: "removed a link from {name}",
    Action.CARD_REVISED: "revised the model card of {name}",
    Action.ARTIFACT_STORED: "stored the artifact {name}",
    Action.ARTIFACT_REFUSED: "had the artifact {name} refused",
    Action.WEBHOOK_TESTED: "tried the webhook {name}",
    Action.WEBHOOK_RESENT: "sent a delivery of the webhook {name} again",
    Action.ENDPOINT_SOURCE_SET: "said where endpoints of {name} come from",
    Action.ENDPOINT_SOURCE_REMOVED: "no longer says where endpoints of {name} come from",
    Action.ENDPOINT_HOOK_CALLED: "asked for an endpoint of {name}",
    Action.ENDPOINT_HOOK_ANSWERED: "was told the endpoint of {name}",
    Action.REGISTRATION_CHECKED: "checked {name} at its registration",
    Action.RECEIPT_ACCEPTED: "received the receipt of a batch by {name}",
    Action.RECEIPT_REFUSED: "received the receipt of a batch by {name} that nobody approved",
    Action.DEVICE_RING_CHANGED: "moved devices of {name} to another ring",
    Action.RECALL_ORDERED: "recalled {name} from its devices",
    Action.RECALL_LIFTED: "lifted the recall of {name}",
    Action.LEARNING_PLANNED: "planned the snapshots of {name}",
    Action.SNAPSHOT_ASKED: "asked for a snapshot of {name}",
    Action.FALLBACK_SET: "set the frozen fallback of {name}",
    Action.DATASET_UPLOADED: "uploaded the dataset {name}",
    Action.DATASET_REFUSED: "had the dataset {name} refused",
    Action.ENDPOINT_CREATED: "registered the endpoint {name}",
    Action.ENDPOINT_REFUSED: "had the endpoint {name} refused",
    Action.ENDPOINT_PROBED: "probed the endpoint {name}",
    Action.ENDPOINT_RETIRED: "retired the endpoint {name}",
    Action.SECRET_SET: "set a secret of {name}",
    Action.EVIDENCE_ASKED: "asked for the evidence {name}",
    Action.EVIDENCE_COMPLETED: "completed the evidence {name}",
    Action.EVIDENCE_FAILED: "could not complete the evidence {name}",
    Action.EVIDENCE_CANCELLED: "cancelled the evidence {name}",
    Action.POLICY_CREATED: "created the policy {name}",
    Action.POLICY_REVISED: "revised the policy {name}",
    Action.REQUEST_OPENED: "opened the request {name}",
    Action.REQUEST_GATES_EVALUATED: "evaluated the gates of {name}",
    Action.REQUEST_SIGNED: "signed {name}",
    Action.REQUEST_SIGN_REFUSED: "was not let sign {name}",
    Action.REQUEST_APPROVED: "approved {name} with the last signature it needed",
    Action.REQUEST_REJECTED: "rejected {name}",
    Action.REQUEST_WITHDRAWN: "withdrew {name}",
    Action.REQUEST_EXPIRED: "let {name} expire",
    Action.REQUEST_INVALIDATED: "voided {name}, because its content changed",
    Action.FINDING_OPENED: "opened the finding {name}",
    Action.FINDING_UPDATED: "changed the finding {name}",
    Action.FINDING_CLOSED: "closed the finding {name}",
    Action.ROLLOUT_STARTED: "started the rollout {name}",
    Action.ROLLOUT_STEP_INTENDED: "began a step of the rollout {name}",
    Action.ROLLOUT_STEP_DONE: "finished a step of the rollout {name}",
    Action.ROLLOUT_STEP_FAILED: "failed a step of the rollout {name}",
    Action.ROLLOUT_PAUSED: "paused the rollout {name}",
    Action.ROLLOUT_RESUMED: "resumed the rollout {name}",
    Action.ROLLOUT_ABORTED: "aborted the rollout {name}",
    Action.ROLLOUT_SUCCEEDED: "finished the rollout {name}",
    Action.ROLLOUT_ROLLED_BACK: "rolled back {name}",
    Action.ROLLOUT_NEEDS_OPERATOR: "called an operator to the rollout {name}",
    Action.ROUTE_CREATED: "created the route {name}",
    Action.ROUTE_CHANGED: "changed the route {name}",
    Action.ROUTE_DRIFTED: "found the route {name} out of step with the registry",
    Action.ROUTE_IN_STEP: "found the route {name} in step with the registry again",
    Action.GATEWAY_CREATED: "created the gateway {name}",
    Action.GATEWAY_CONFIG_REFUSED: "had its configuration refused by the gateway {name}",
    Action.MONITOR_CREATED: "created the monitor {name}",
    Action.MONITOR_UPDATED: "changed the monitor {name}",
    Action.ALERT_RULE_CREATED: "created the alert rule {name}",
    Action.ALERT_RULE_UPDATED: "changed the alert rule {name}",
    Action.ALERT_OPENED: "raised the alert {name}",
    Action.ALERT_ACKNOWLEDGED: "acknowledged the alert {name}",
    Action.ALERT_RESOLVED: "resolved the alert {name}",
    Action.LABELS_RECEIVED: "sent labels to {name}",
    Action.PREDICTIONS_RECEIVED: "sent predictions to {name}",
    Action.PREDICTIONS_REFUSED: "had predictions for {name} refused",
    Action.REPORT_RENDERED: "rendered the report {name}",
    Action.DESTINATION_ALLOWED: "allowed calls to {name}",
    Action.DESTINATION_REVOKED: "no longer allows calls to {name}",
    Action.ADDRESS_REFUSED: "was not let call {name}",
    Action.JOB_CANCELLED: "cancelled the job {name}",
    Action.JOB_FAILED: "could not finish the job {name}",
    Action.JOB_RETRIED: "asked to run the job {name} again",
    Action.EXPORT_MADE: "exported {name}",
    Action.AUDIT_VERIFIED: "verified {name}",
}


def phrase(action: str, *, name: str, details: Mapping[str, Any] | None = None) -> str:
    """What was done, after who did it; without words of its own "dataset.profiled" is
    "profiled the dataset …".
    """
    try:
        known = PHRASES.get(Action(action))
    except ValueError:
        known = None
    if known is None:
        family, _, verb = action.replace("_", " ").partition(".")
        known = f"{verb} the {family} {{name}}" if verb else f"{family} {{name}}"
    text = known.replace("{name}", name)
    code = (details or {}).get("code")
    return f"{text} ({str(code).replace('_', ' ')})" if code else text
