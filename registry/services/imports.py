"""Bring another MLflow registry in: one thing a transaction, so that a killed import goes on.

The cursor is saved with what it counts. A version is known again by what its release says of where
it came from, so nothing is brought in twice; what could not be brought in stands in the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models.functions import Now

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import Conflict, DomainError, Invalid, NotAllowed
from registry import release_tags, selectors
from registry.importing import content
from registry.importing.source import NotThere, Refused, Source, base_url
from registry.models import ImportRun, Kind, ModelVersion, RegisteredModel, Stage, Status
from registry.names import MAX_TAGS, insist_tags
from registry.release import ReleaseInput
from registry.services import aliases, models, stages, versions

if TYPE_CHECKING:
    from accounts.callers import Caller

#: The report's lines that are kept; what is beyond is counted.
MAX_LEFT_OUT = 5_000
#: What one import does before all others of its kind: two at once would both count.
_LOCK = 0x4353_4950
PARTS = ("models", "prompts")
Tell = Callable[[str], None]


def begin(*, caller: Caller, source_url: str) -> ImportRun:
    """The unfinished import from there, to go on with, or a new one.

    Raises: NotAllowed, AddressRefused, Invalid.
    """
    caller.insist(Capability.MODEL_EDIT)
    if caller.user is None:
        raise NotAllowed("An import is run by a person, who answers for what comes in.")
    url = base_url(source_url)
    with transaction.atomic():
        run = (
            ImportRun.objects.select_for_update()
            .filter(workspace=caller.workspace, source_url=url, state=ImportRun.State.RUNNING)
            .first()
        )
        if run is not None:
            return run
        run = ImportRun.objects.create(
            workspace=caller.workspace,
            source_url=url,
            cursor={"part": PARTS[0], "token": "", "done": [], "model": ""},
            started_by_pid=caller.actor.pid,
        )
        run.refresh_from_db()
        _record(Action.IMPORT_STARTED, run, caller, {})
    return run


def carry_on(*, caller: Caller, run: ImportRun, source: Source, tell: Tell) -> ImportRun:
    """Read everything there is and bring it in. Killed or cut off, call it again.

    Raises: Unavailable, Refused, BadAnswer, AddressRefused (the run stays as far as it came),
        Conflict (another process is at it), NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    with _alone(run):
        run.refresh_from_db()
        if run.state == ImportRun.State.DONE:
            return run
        _Importer(caller, run, source, tell).everything()
    return run


class _Importer:
    """One run of one process; the row is the truth, this only holds it at hand."""

    def __init__(self, caller: Caller, run: ImportRun, source: Source, tell: Tell) -> None:
        self.caller = caller
        self.run = run
        self.source = source
        self.tell = tell
        self.protected = selectors.protected_aliases(caller.workspace)
        self.runs: dict[str, content.Run | None] = {}

    def everything(self) -> None:
        for part in PARTS[PARTS.index(self.run.cursor["part"]) :]:
            if self.run.cursor["part"] != part:
                self._save(part=part, token="", done=[], model="")
            self._part(part)
        with transaction.atomic():
            self.run.state = ImportRun.State.DONE
            self.run.finished_at = Now()
            self._save(model="")
            details = {**self.run.counts, "left_out": len(self.run.left_out)}
            _record(Action.IMPORT_FINISHED, self.run, self.caller, details)

    def _part(self, part: str) -> None:
        while True:
            try:
                page, token = self.source.models_page(
                    prompts=part == "prompts", token=self.run.cursor["token"]
                )
            except (Refused, NotThere) as error:
                if part == "prompts":  # an older server, which knows no prompts
                    self._leave_out("prompts", error.message)
                    return
                raise
            for model in page:
                if model.name not in self.run.cursor["done"]:
                    self._model(model.name, prompts=part == "prompts")
                    self._save(done=[*self.run.cursor["done"], model.name], model="")
            if not token:
                return
            if token == self.run.cursor["token"]:
                raise content.BadAnswer("Its pages go round in a circle.")
            self._save(token=token, done=[], model="")

    def _model(self, name: str, *, prompts: bool) -> None:
        shown = f"model {name[:255]}"
        try:
            there = self.source.model(name)
            found = self.source.versions(name, prompts=prompts)
            model = self._own_model(there)
        except (NotThere, Invalid, Refused, content.BadAnswer) as error:
            self._leave_out(shown, error.message)
            return
        before = self.run.counts.get("versions", 0)
        for version in found:
            self._version(model, version)
        for alias, number in there.aliases:
            self._alias(model, alias, number)
        self.tell(f"{name}: {self.run.counts.get('versions', 0) - before} of {len(found)} versions")

    def _own_model(self, there: content.Model) -> RegisteredModel:
        """The model of that name here, made now if there is none. Raises: Invalid."""
        present = RegisteredModel.objects.filter(
            workspace=self.caller.workspace, name=there.name, deleted_at=None
        ).first()
        shown = f"model {there.name[:255]}"
        if present is not None:
            if self.run.cursor["model"] != there.name:
                self._leave_out(
                    f"{shown}: description, tags",
                    "There is a model of this name here; what is said about it stays.",
                )
            return present
        tags = self._tags(shown, there.tags)
        description = self._description(shown, there.description)
        with transaction.atomic():
            model = models.create(
                caller=self.caller,
                name=there.name,
                kind=Kind.PROMPT if release_tags.is_prompt(tags) else Kind.BINARY,
                description=description,
                tags=tags,
                deployment_job_id=there.deployment_job_id,
            )
            self._count("models", tags=len(tags))
            self._save(model=there.name)
        return model

    def _version(self, model: RegisteredModel, there: content.Version) -> None:
        shown = f"version {there.number} of {model.name}"
        present = ModelVersion.objects.filter(model=model, number=there.number).first()
        if present is not None:
            if (
                present.release.get("extra", {}).get("imported", {}).get("from")
                != self.run.source_url
            ):
                self._leave_out(shown, "This number is taken here.")
            return
        if there.status != Status.READY:
            self._leave_out(shown, f"It is not ready there but {there.status[:40]}.")
            return
        run = self._run(shown, there.run_id)
        tags = self._tags(shown, there.tags)
        description = self._description(shown, there.description)
        try:
            with transaction.atomic():
                self._register(model, there, run, tags, description)
        except (Invalid, Conflict, NotAllowed) as error:
            self.run.refresh_from_db()
            reasons = "; ".join(text for texts in error.fields.values() for text in texts)
            self._leave_out(shown, f"{error.message} {reasons}".strip())

    def _register(
        self,
        model: RegisteredModel,
        there: content.Version,
        run: content.Run,
        tags: dict[str, str],
        description: str,
    ) -> None:
        locked = models.lock(model)
        if there.number < locked.next_version:
            raise Conflict("Its number was given before; the version is deleted here, or hidden.")
        if there.number > locked.next_version:
            # Numbers that are missing there stay missing here: clients know versions by number.
            locked.next_version = there.number
            locked.save(update_fields=["next_version"])
        filled = release_tags.fill(
            ReleaseInput(
                source=there.source,
                run_id=there.run_id,
                git_commit=run.git_commit,
                extra={
                    "imported": {
                        "from": self.run.source_url,
                        "created_at": there.created_at,
                        "status": there.status,
                    }
                },
            ),
            tags,
        )
        version = versions.register(
            caller=self.caller,
            model=locked,
            release=filled.release,
            reported_metrics=run.metrics,
            description=description,
            tags=tags,
            run_user=run.user or there.user,
            semantic_version=filled.semantic_version,
            run_link=there.run_link,
            logged_model_id=there.logged_model_id,
            again=True,
        )
        self._count("versions", tags=len(tags), metrics=len(run.metrics))
        if there.stage != Stage.NONE:
            stages.transition(caller=self.caller, version=version, stage=there.stage)
            self._count("stages")
        self._save()

    def _alias(self, model: RegisteredModel, alias: str, number: int) -> None:
        shown = f"alias @{alias[:255]} of {model.name}"
        if alias in self.protected:
            self._leave_out(
                shown,
                f"It stood on version {number} there. Here it says what is live, so only an "
                "approved promotion moves it.",
            )
            return
        version = ModelVersion.objects.filter(model=model, number=number, deleted_at=None).first()
        if version is None:
            self._leave_out(shown, f"Version {number} is not here.")
            return
        version.model = model
        present = selectors.open_aliases(model).filter(name=alias).first()
        if present is not None:
            if present.version_id != version.pk:
                self._leave_out(shown, f"It stands on version {present.version.number} here.")
            return
        try:
            with transaction.atomic():
                aliases.move(caller=self.caller, model=model, name=alias, version=version)
                self._count("aliases")
                self._save()
        except DomainError as error:
            self.run.refresh_from_db()
            self._leave_out(shown, error.message)

    def _run(self, shown: str, run_id: str) -> content.Run:
        """The run behind a version; gone, unreadable or none at all, it is an empty one."""
        if not run_id:
            return content.Run()
        if run_id not in self.runs:
            try:
                self.runs[run_id] = self.source.run(run_id)
            except (NotThere, Refused, content.BadAnswer) as error:
                self.runs[run_id] = None
                self._leave_out(f"{shown}: its run's figures", error.message)
        run = self.runs[run_id] or content.Run()
        for key in run.not_finite:
            self._leave_out(f"{shown}: figure {key[:100]}", "It is not finite.")
        if len(run.metrics) > content.MAX_METRICS:
            self._leave_out(
                f"{shown}: {len(run.metrics) - content.MAX_METRICS} figures",
                f"A version has at most {content.MAX_METRICS} reported figures.",
            )
            kept = dict(sorted(run.metrics.items())[: content.MAX_METRICS])
            return content.Run(kept, (), run.user, run.git_commit)
        return run

    def _tags(self, shown: str, given: dict[str, str]) -> dict[str, str]:
        kept: dict[str, str] = {}
        for key, value in given.items():
            try:
                if len(kept) == MAX_TAGS:
                    raise Invalid(f"At most {MAX_TAGS} tags.")
                kept.update(insist_tags({key: value}))
                insist_tags(kept)
            except Invalid as error:
                kept.pop(key, None)
                self._leave_out(f"{shown}: tag {key[:100]}", error.message)
        return kept

    def _description(self, shown: str, given: str) -> str:
        text = given.replace("\x00", "")
        if len(text) > models.MAX_TEXT:
            self._leave_out(
                f"{shown}: the end of its description",
                f"It has {len(text):,} characters, {models.MAX_TEXT:,} are kept.",
            )
        return text[: models.MAX_TEXT]

    def _leave_out(self, what: str, why: str) -> None:
        """A line of the report, once, however often a killed import comes by."""
        line = {"what": what.replace("\x00", "�"), "why": why[:500].replace("\x00", "�")}
        if line in self.run.left_out:
            return
        if len(self.run.left_out) < MAX_LEFT_OUT:
            self.run.left_out.append(line)
        self._count("left_out")
        self._save()

    def _count(self, *names: str, **numbers: int) -> None:
        for name, number in (*((name, 1) for name in names), *numbers.items()):
            self.run.counts[name] = self.run.counts.get(name, 0) + number

    def _save(self, **cursor: Any) -> None:
        self.run.cursor = {**self.run.cursor, **cursor}
        self.run.updated_at = Now()
        self.run.save()


@contextmanager
def _alone(run: ImportRun) -> Iterator[None]:
    """This process only; the lock goes with its connection, so a killed one leaves none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK, run.pk])
        (is_ours,) = cursor.fetchone()
    if not is_ours:
        raise Conflict("This import is running in another process.", code="import_is_running")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK, run.pk])


def _record(action: Action, run: ImportRun, caller: Caller, details: dict[str, Any]) -> None:
    audit.record(
        action,
        actor=caller.actor,
        workspace=run.workspace.slug,
        object_type="import",
        object_id=str(run.uid),
        object_name=run.source_url[:255],
        details=details,
    )
