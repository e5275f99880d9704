"""What monitoring says about models in the inventory: watched or not, quiet or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from django.urls import reverse

from common.ui.figures import plural
from monitoring.models import Alert, Monitor, Window
from monitoring.selectors import UNRESOLVED
from registry.models import Alias
from registry.needs import Need, last_alias, live_only
from registry.ports import Cell, Remark

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import Workspace
    from registry.models import RegisteredModel


class MonitorPart:
    """The state of a model's monitors: the worst one counts."""

    title = "Monitor"

    def cells(
        self, *, workspace: Workspace, models: Sequence[RegisteredModel]
    ) -> Mapping[int, Cell]:
        keys = [it.pk for it in models]
        monitors: dict[int, list[Monitor]] = {}
        rows = Monitor.objects.filter(model__in=keys).only("pk", "uid", "model", "paused_at")
        for monitor in rows.order_by("pk"):
            monitors.setdefault(monitor.model_id, []).append(monitor)
        watching = [it.pk for found in monitors.values() for it in found]
        alerts: dict[int, list[Alert]] = {}
        for alert in Alert.objects.filter(monitor__in=watching, state__in=UNRESOLVED).order_by(
            "pk"
        ):
            alerts.setdefault(alert.monitor_id, []).append(alert)
        counted = set(
            Window.objects.filter(monitor__in=watching, rows__gt=0)
            .order_by("monitor_id")
            .distinct("monitor_id")
            .values_list("monitor", flat=True)
        )
        live = set(
            Alias.objects.filter(model__in=keys, ended_at=None, name=last_alias(workspace))
            .order_by()
            .values_list("model", flat=True)
        )
        cells = {
            key: _cell(monitors.get(key, []), alerts, counted, is_live=key in live) for key in keys
        }
        return {key: cell for key, cell in cells.items() if cell is not None}

    def remarks(self, *, workspace: Workspace) -> Sequence[Remark]:
        number = Alert.objects.filter(workspace=workspace, state__in=UNRESOLVED).count()
        if not number:
            return []
        return [
            Remark(
                plural(number, "alert is,alerts are") + " open", reverse("monitoring:alert-list")
            )
        ]


def _cell(
    monitors: Sequence[Monitor],
    alerts: Mapping[int, Sequence[Alert]],
    counted: set[int],
    *,
    is_live: bool,
) -> Cell | None:
    if not monitors:
        if is_live:
            return Cell("no monitor", tone="warning", icon="alert-triangle")
        return None
    firing = [alert for it in monitors for alert in alerts.get(it.pk, ())]
    if firing:
        monitor = next(it for it in monitors if alerts.get(it.pk))
        words = str(firing[0]) if len(firing) == 1 else plural(len(firing), "alert")
        return Cell(words, tone="danger", icon="x", url=_url(monitor))
    running = [it for it in monitors if it.paused_at is None]
    if not running:
        return Cell("paused", tone="warning", icon="player-pause", url=_url(monitors[0]))
    if not any(it.pk in counted for it in running):
        return Cell("no data yet", tone="warning", icon="question-mark", url=_url(running[0]))
    return Cell("quiet", tone="success", icon="check", url=_url(running[0]))


def _url(monitor: Monitor) -> str:
    return reverse("monitoring:monitor-detail", args=[monitor.uid])


def _unwatched(
    models: QuerySet[RegisteredModel], workspace: Workspace
) -> QuerySet[RegisteredModel]:
    watched = Monitor.objects.filter(workspace=workspace, paused_at=None).values("model")
    return live_only(models, workspace).exclude(pk__in=watched)


NEEDS = (
    Need(
        "monitor",
        "a monitor",
        "live model has no monitor",
        "live models have no monitor",
        _unwatched,
    ),
)
