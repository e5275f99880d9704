"""Asking for evidence, stopping it, and asking again after it could not be computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services.record import record
from common.canonical import digest_of
from common.errors import Conflict, Invalid, InvalidTransition
from evaluation import params as parameters
from evaluation import selectors
from evaluation.errors import NoEndpoint, NotOffered
from evaluation.models import Evidence, PredictionsFile
from evaluation.params import MAX_SEED, OFFERED
from evaluation.services import finish
from evaluation.services import predictions as uploads
from jobs.models import Job
from jobs.services import cancel as job_cancel
from jobs.services.enqueue import enqueue
from registry.models import Dataset, Kind
from registry.selectors import insist_ready
from serving.selectors import endpoint_for

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import ModelVersion
    from serving.models import Endpoint

_BINARY = frozenset({Kind.BINARY, Kind.RULE, Kind.VENDOR, Kind.ANOMALY})
_REGRESSION = frozenset({Kind.REGRESSION, Kind.FORECASTING})


def ask(
    *,
    caller: Caller,
    kind: str,
    version: ModelVersion,
    dataset: Dataset | None = None,
    origin: str = "measured",
    baseline: ModelVersion | None = None,
    endpoint: Endpoint | None = None,
    params: Mapping[str, Any] | None = None,
    seed: int = 0,
    predictions: IO[bytes] | None = None,
    baseline_predictions: IO[bytes] | None = None,
) -> Evidence:
    """Ask for one piece of evidence; a job computes it. The same unfinished wish is not doubled.

    ``measured`` asks the version's endpoint about the dataset; ``computed`` takes an uploaded
    predictions file (now, or the newest that was uploaded before). Without a ``baseline`` a
    differential compares with what is live.

    Raises: NotAllowed, Invalid (PredictionsRefused, NotOffered), NoEndpoint, Conflict.
    """
    caller.insist(Capability.EVIDENCE_RUN)
    _insist_here(caller, version, dataset, baseline)
    if kind not in OFFERED:
        raise NotOffered(f"There is no evidence of the kind “{kind[:40]}” here.", code="no_kind")
    if origin not in ("measured", "computed"):
        raise Invalid(
            "Evidence is asked for as measured or computed; reported figures have their own way.",
            fields={"origin": ["measured or computed"]},
        )
    if not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise Invalid("The seed is a whole number from 0.", fields={"seed": ["from 0 to 2^62"]})
    wanted = parameters.parse(kind, params or {})
    task = _task(version, wanted)
    if kind == "fairness" and task != "binary":
        raise NotOffered("Fairness of decisions needs a model that decides yes or no.")
    if kind == "differential":
        baseline = baseline or selectors.live_baseline(version)
        if baseline is None:
            raise Conflict(
                f"Nothing of {version.model.name} is live yet: name the version to compare with.",
                code="no_baseline",
            )
        _insist_two_versions(version, baseline)
    else:
        baseline = None
    if dataset is not None:
        insist_ready(dataset)
    evidence = Evidence(
        workspace=caller.workspace,
        kind=kind,
        origin=origin,
        version=version,
        baseline=baseline,
        dataset=dataset,
        params=wanted,
        seed=seed,
        created_by_pid=caller.actor.pid,
        created_by_label=caller.label[:200],
    )
    if origin == "measured":
        _take_endpoints(evidence, endpoint)
    else:
        _take_predictions(
            evidence,
            caller,
            predictions,
            baseline_predictions,
            probability=task == "binary",
        )
    _insist_columns(evidence)
    return _insert(evidence, caller)


@transaction.atomic
def cancel(*, caller: Caller, uid: UUID | str) -> Evidence:
    """Stop what is waiting or being computed.

    Raises: EvidenceNotFound, NotAllowed, InvalidTransition (it is over).
    """
    caller.insist(Capability.EVIDENCE_RUN)
    evidence = selectors.get_evidence(caller.workspace, uid)
    if evidence.is_terminal:
        raise InvalidTransition(f"It is over already: {evidence.get_state_display().lower()}.")
    # The job's row first, as the handler locks them: the other order could wait for each other.
    job = evidence.job
    if job is not None and not job.is_terminal:
        job = job_cancel.cancel(uid=job.uid, caller=_as_house(caller))
    present = (
        Evidence.objects.select_for_update(of=("self",))
        .select_related("workspace", "version__model", "baseline__model", "dataset")
        .get(pk=evidence.pk)
    )
    if not present.is_terminal and (job is None or job.state == Job.State.CANCELLED):
        finish.end(present, Evidence.State.CANCELLED, actor=caller.actor)
    return present


@transaction.atomic
def retry(*, caller: Caller, uid: UUID | str) -> Evidence:
    """Run again what could not be computed or was cancelled, from the start.

    Raises: EvidenceNotFound, NotAllowed, InvalidTransition, NoEndpoint.
    """
    caller.insist(Capability.EVIDENCE_RUN)
    selectors.get_evidence(caller.workspace, uid)
    evidence = (
        Evidence.objects.select_for_update(of=("self",))
        .select_related("workspace", "version__model", "baseline__model", "dataset", "endpoint")
        .get(uid=uid)
    )
    if evidence.state not in (Evidence.State.FAILED, Evidence.State.CANCELLED):
        raise InvalidTransition(
            f"Only what could not be computed is run again; this is "
            f"{evidence.get_state_display().lower()}."
        )
    if evidence.origin == Evidence.Origin.MEASURED:
        # An endpoint never changes; a repaired one is a new one, and the newest is asked.
        _take_endpoints(evidence, None)
    evidence.state = Evidence.State.WAITING
    evidence.error = evidence.error_code = ""
    evidence.job = _enqueue(evidence, caller)
    evidence.save(
        update_fields=[
            "state",
            "error",
            "error_code",
            "job",
            "endpoint",
            "baseline_endpoint",
        ]
    )
    _record_asked(evidence, caller, again=True)
    return evidence


def _insist_here(
    caller: Caller,
    version: ModelVersion,
    dataset: Dataset | None,
    baseline: ModelVersion | None,
) -> None:
    for name, workspace_id in (
        ("version", version.model.workspace_id),
        ("baseline", baseline.model.workspace_id if baseline else caller.workspace.pk),
        ("dataset", dataset.workspace_id if dataset else caller.workspace.pk),
    ):
        if workspace_id != caller.workspace.pk:
            raise Invalid(
                f"There is no such {name} here.", code="not_found", fields={name: ["Not here."]}
            )


def _insist_two_versions(version: ModelVersion, baseline: ModelVersion) -> None:
    if baseline.pk == version.pk:
        raise Invalid(
            f"{version} would be compared with itself.",
            code="same_version",
            fields={"baseline": ["Another version of the model."]},
        )
    # A student may be another model than its teacher: what it was derived from is compared.
    if baseline.model_id != version.model_id and version.derived_from_id != baseline.pk:
        raise Invalid(
            f"{baseline} is another model than {version}, and not what that was derived from.",
            code="another_model",
            fields={"baseline": ["A version of the same model, or its parent."]},
        )


def _task(version: ModelVersion, wanted: Mapping[str, Any]) -> str:
    if task := wanted.get("task"):
        return str(task)
    kind = version.model.kind
    if kind in _REGRESSION:
        return "regression"
    if kind in _BINARY:
        return "binary"
    raise NotOffered(
        f"There is no such evidence for models of the kind “{version.model.get_kind_display()}” "
        f"yet; where the score is one number, say so by the parameter task."
    )


def _take_endpoints(evidence: Evidence, endpoint: Endpoint | None) -> None:
    if evidence.dataset is None:
        raise Invalid("Measuring needs a dataset to send.", fields={"dataset": ["This is needed."]})
    found = endpoint or endpoint_for(evidence.version)
    if found is None:
        raise NoEndpoint(
            f"{evidence.version} has no endpoint to ask: register one, or upload its predictions."
        )
    if found.version_id != evidence.version_id or found.retired_at is not None:
        raise Invalid(
            f"{found.name} does not serve {evidence.version}.",
            code="wrong_endpoint",
            fields={"endpoint": ["An endpoint of this version that is not retired."]},
        )
    evidence.endpoint = found
    if evidence.baseline is not None:
        other = endpoint_for(evidence.baseline)
        if other is None:
            raise NoEndpoint(
                f"{evidence.baseline}, which it is compared with, has no endpoint to ask: register "
                f"one, or upload predictions of both."
            )
        evidence.baseline_endpoint = other


def _take_predictions(
    evidence: Evidence,
    caller: Caller,
    file: IO[bytes] | None,
    baseline_file: IO[bytes] | None,
    *,
    probability: bool,
) -> None:
    if evidence.kind == Evidence.Kind.EXPLANATION:
        raise NotOffered(
            "An explanation asks the endpoint about changed rows: a predictions file cannot "
            "answer.",
            code="needs_endpoint",
        )

    def take(of: ModelVersion, given: IO[bytes] | None, field: str) -> PredictionsFile:
        if given is not None:
            return uploads.store(
                caller=caller,
                version=of,
                dataset=evidence.dataset,
                fileobj=given,
                probability=probability,
            )
        known = PredictionsFile.objects.filter(version=of, dataset=evidence.dataset).first()
        if known is None:
            raise Invalid(
                f"There are no predictions of {of} yet: upload them.",
                code="no_predictions",
                fields={field: ["A CSV or Parquet file."]},
            )
        return known

    evidence.predictions = take(evidence.version, file, "predictions")
    if evidence.baseline is not None:
        evidence.baseline_predictions = take(
            evidence.baseline, baseline_file, "baseline_predictions"
        )


def _insist_columns(evidence: Evidence) -> None:
    """Everything that is named is there, and there are labels where there must be."""
    known: set[str] = set()
    if evidence.dataset is not None:
        known |= {column["name"] for column in evidence.dataset.columns}
    if evidence.predictions is not None:
        known |= set(evidence.predictions.columns)
    needed: list[tuple[str, str]] = []
    for endpoint in (evidence.endpoint, evidence.baseline_endpoint):
        needed += [("dataset", name) for name in (endpoint.input_columns if endpoint else [])]
    for name in ("groups", "segments"):
        needed += [(f"params.{name}", column) for column in evidence.params.get(name, [])]
    label = selectors.label_column(evidence)
    if label:
        needed.append(("params.label_column", label))
    elif evidence.kind == Evidence.Kind.EVALUATION:
        reason = "An evaluation needs labels: name their column (label_column)."
        raise Invalid(reason, code="no_label_column", fields={"params.label_column": [reason]})
    for field, name in needed:
        if name not in known:
            where = evidence.dataset.name if evidence.dataset else "The predictions file"
            reason = f"{where} has no column “{name[:100]}”."
            raise Invalid(reason, code="no_such_column", fields={field: [reason]})
    beyond = [
        row
        for row in evidence.params.get("rows", [])
        if evidence.dataset is not None and row >= evidence.dataset.rows
    ]
    if beyond and evidence.dataset is not None:
        last = evidence.dataset.rows - 1
        reason = f"{evidence.dataset.name} has no row {beyond[0]}: the last is {last}."
        raise Invalid(reason, code="no_such_row", fields={"params.rows": [reason]})


class _AskedAlready(Exception):
    """The same wish is unfinished; ours is taken back."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job


def _insert(evidence: Evidence, caller: Caller) -> Evidence:
    try:
        return _insert_once(evidence, caller)
    except _AskedAlready as other:
        return Evidence.objects.with_context().get(uid=other.job.payload["evidence"])


@transaction.atomic
def _insert_once(evidence: Evidence, caller: Caller) -> Evidence:
    evidence.save(force_insert=True)
    evidence.job = _enqueue(evidence, caller)
    if evidence.job.payload["evidence"] != str(evidence.uid):
        raise _AskedAlready(evidence.job)
    evidence.save(update_fields=["job"])
    evidence.refresh_from_db(fields=["created_at"])
    _record_asked(evidence, caller, again=False)
    return evidence


def _wish(evidence: Evidence) -> str:
    """What makes two unfinished wishes the same."""
    return "evidence:" + digest_of(
        [
            str(evidence.kind),
            str(evidence.origin),
            evidence.version_id,
            evidence.baseline_id,
            evidence.dataset_id,
            evidence.endpoint_id,
            evidence.baseline_endpoint_id,
            evidence.predictions_id,
            evidence.baseline_predictions_id,
            evidence.params,
            evidence.seed,
        ]
    )


def _enqueue(evidence: Evidence, caller: Caller) -> Job:
    against = f" against {evidence.baseline.number}" if evidence.baseline else ""
    on = f" on {evidence.dataset.name}" if evidence.dataset else ""
    return enqueue(
        f"evaluation.{evidence.kind}",
        workspace=evidence.workspace,
        title=f"{evidence.get_kind_display()} of {evidence.version}{against}{on}",
        payload={"evidence": str(evidence.uid)},
        caller=caller,
        dedupe_key=_wish(evidence),
    )


def _record_asked(evidence: Evidence, caller: Caller, *, again: bool) -> None:
    record(
        Action.EVIDENCE_ASKED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="evidence",
        object_id=str(evidence.uid),
        object_name=f"{evidence.get_kind_display()} of {evidence.version}"[:255],
        details={
            "kind": str(evidence.kind),
            "origin": str(evidence.origin),
            "version": str(evidence.version.uid),
            "baseline": str(evidence.baseline.uid) if evidence.baseline else None,
            "dataset": evidence.dataset.digest if evidence.dataset else None,
            "params": evidence.params,
            "seed": evidence.seed,
            "again": again,
        },
    )


def _as_house(caller: Caller) -> Caller:
    """Whoever may run evidence may stop its job, whoever's it is; the event names the caller."""
    from dataclasses import replace

    return replace(caller, is_system=True)
