"""What comes into monitoring's API and what goes out."""

from __future__ import annotations

import math
from typing import Any

from rest_framework import serializers

from common.api.serializers import StrictSerializer
from monitoring.models import Alert, AlertRule, Ingest, Monitor, Report
from monitoring.models.alert import MAX_NOTE
from monitoring.services.ingest import state_of

NAME = 255


class FiniteFloatField(serializers.FloatField):
    """A number that JSON and PostgreSQL agree on; text is no number here."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, (bool, str)):
            self.fail("invalid")
        try:
            value = super().to_internal_value(data)
        except OverflowError:
            self.fail("invalid")
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class ColumnOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=["numeric", "categorical"])
    policy = serializers.ChoiceField(
        choices=["keep", "count"], help_text="count: only lengths and missing values are counted"
    )


class MonitorIn(StrictSerializer):
    name = serializers.CharField(max_length=NAME, trim_whitespace=False)
    model = serializers.CharField(max_length=NAME, trim_whitespace=False)
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    environment = serializers.CharField(max_length=64)
    reference = serializers.CharField(
        max_length=NAME, trim_whitespace=False, help_text="a dataset with features and scores"
    )
    score_column = serializers.CharField(max_length=NAME, trim_whitespace=False)
    id_column = serializers.CharField(max_length=NAME, trim_whitespace=False)
    time_column = serializers.CharField(max_length=NAME, trim_whitespace=False)
    label_column = serializers.CharField(
        max_length=NAME, required=False, allow_blank=True, trim_whitespace=False
    )
    window = serializers.ChoiceField(choices=Monitor.WindowKind.choices, required=False)
    decision_threshold = FiniteFloatField(required=False, allow_null=True)
    columns = serializers.ListField(
        child=serializers.CharField(max_length=NAME, trim_whitespace=False),
        required=False,
        max_length=300,
        help_text="features to watch; all of the reference's, when left out",
    )
    default_rule = serializers.BooleanField(
        required=False, help_text="PSI > 0.1 and significant, in 2 of 3 windows; yes, unless said"
    )


class MonitorOut(serializers.ModelSerializer[Monitor]):
    model = serializers.CharField(source="model.name")
    environment = serializers.CharField(source="environment.name")
    version = serializers.IntegerField(source="version.number")
    reference = serializers.CharField(source="reference.name")
    reference_rows = serializers.IntegerField(source="reference.rows")
    window = serializers.ChoiceField(source="window_kind", choices=Monitor.WindowKind.choices)
    columns = ColumnOut(many=True)
    alerts_open = serializers.IntegerField()

    class Meta:
        model = Monitor
        fields = [
            "uid",
            "name",
            "model",
            "environment",
            "version",
            "reference",
            "reference_rows",
            "window",
            "id_column",
            "time_column",
            "score_column",
            "label_column",
            "decision_threshold",
            "columns",
            "alerts_open",
            "created_at",
            "paused_at",
        ]


class IngestOut(serializers.ModelSerializer[Ingest]):
    """``accepted`` counts what was new: neither repeated ids nor labels without a prediction."""

    state = serializers.SerializerMethodField()
    job = serializers.UUIDField(source="job.uid", allow_null=True)

    class Meta:
        model = Ingest
        fields = [
            "uid",
            "what",
            "format",
            "digest",
            "rows",
            "accepted",
            "state",
            "job",
            "created_at",
            "finished_at",
        ]

    def get_state(self, ingest: Ingest) -> str:
        """``waiting``, ``done`` or ``failed``."""
        return state_of(ingest)


class DriftQuery(StrictSerializer):
    """Which windows: the newest ``limit`` that begin between ``from`` and ``to``."""

    column = serializers.CharField(max_length=NAME, required=False, trim_whitespace=False)
    limit = serializers.IntegerField(min_value=1, max_value=100, required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # "from" is a keyword, so it cannot be declared as an attribute.
        fields = super().get_fields()
        fields["from"] = serializers.DateTimeField(required=False)
        fields["to"] = serializers.DateTimeField(required=False)
        return fields


class TripleOut(serializers.Serializer[Any]):
    value = serializers.FloatField()
    lower95 = serializers.FloatField()
    upper95 = serializers.FloatField()


class ColumnDriftOut(serializers.Serializer[Any]):
    column = serializers.CharField()
    psi = TripleOut()
    js = serializers.FloatField()
    ks = serializers.FloatField(allow_null=True)
    wasserstein = serializers.FloatField(allow_null=True, help_text="in the column's unit")
    p_value = serializers.FloatField()
    significant = serializers.BooleanField(help_text="after Benjamini–Hochberg over the columns")
    drifted = serializers.BooleanField(help_text="significant, and PSI over 0.1")


class PerformanceOut(serializers.Serializer[Any]):
    realised = serializers.DictField(child=TripleOut())
    estimated = serializers.DictField(child=TripleOut())
    base_rate = serializers.FloatField(allow_null=True)
    estimated_base_rate = serializers.FloatField(allow_null=True)


class WindowOut(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    revision = serializers.IntegerField()
    rows = serializers.IntegerField()
    labelled = serializers.IntegerField()
    columns = ColumnDriftOut(many=True)
    performance = PerformanceOut(allow_null=True)


class DriftOut(serializers.Serializer[Any]):
    monitor = serializers.UUIDField()
    windows = WindowOut(many=True)


class RuleIn(StrictSerializer):
    monitor = serializers.UUIDField()
    name = serializers.CharField(max_length=200)
    kind = serializers.ChoiceField(choices=AlertRule.Kind.choices)
    metric = serializers.ChoiceField(choices=AlertRule.Metric.choices)
    threshold = FiniteFloatField()
    k = serializers.IntegerField(min_value=1, max_value=30, required=False)
    n = serializers.IntegerField(min_value=1, max_value=30, required=False)
    min_rows = serializers.IntegerField(min_value=1, max_value=2_000_000_000, required=False)
    severity = serializers.ChoiceField(choices=AlertRule.Severity.choices, required=False)
    is_active = serializers.BooleanField(required=False)


class RuleOut(serializers.ModelSerializer[AlertRule]):
    monitor = serializers.UUIDField(source="monitor.uid")
    sentence = serializers.CharField()

    class Meta:
        model = AlertRule
        fields = [
            "uid",
            "monitor",
            "name",
            "kind",
            "metric",
            "threshold",
            "k",
            "n",
            "min_rows",
            "severity",
            "is_active",
            "muted_until",
            "created_at",
            "sentence",
        ]


class BacktestIn(StrictSerializer):
    threshold = FiniteFloatField(required=False)
    k = serializers.IntegerField(min_value=1, max_value=30, required=False)
    n = serializers.IntegerField(min_value=1, max_value=30, required=False)
    min_rows = serializers.IntegerField(min_value=1, max_value=2_000_000_000, required=False)


class BacktestWindowOut(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    value = serializers.FloatField()
    column = serializers.CharField()
    crossed = serializers.BooleanField()
    would_alert = serializers.BooleanField()


class BacktestOut(serializers.Serializer[Any]):
    windows = serializers.IntegerField()
    crossings = serializers.IntegerField()
    alerts = serializers.IntegerField()
    sentence = serializers.CharField()
    history = BacktestWindowOut(many=True)


class MuteIn(StrictSerializer):
    until = serializers.DateTimeField(allow_null=True)


class NoteIn(StrictSerializer):
    note = serializers.CharField(max_length=MAX_NOTE, required=False, allow_blank=True)


class AlertOut(serializers.ModelSerializer[Alert]):
    label = serializers.CharField(source="__str__")  # type: ignore[assignment]
    monitor = serializers.UUIDField(source="monitor.uid")
    rule = serializers.UUIDField(source="rule.uid")
    window_start = serializers.DateTimeField(source="window.start")
    window_end = serializers.DateTimeField(source="window.end")
    severity = serializers.CharField()
    facts = serializers.DictField()
    acknowledged_by = serializers.SerializerMethodField()

    class Meta:
        model = Alert
        fields = [
            "uid",
            "number",
            "label",
            "monitor",
            "rule",
            "window_start",
            "window_end",
            "state",
            "severity",
            "cause",
            "what_to_do",
            "facts",
            "opened_at",
            "acknowledged_at",
            "acknowledged_by",
            "resolved_at",
            "note",
        ]

    def get_acknowledged_by(self, alert: Alert) -> str:
        """The person's name, or nothing."""
        return str(alert.acknowledged_by) if alert.acknowledged_by else ""


class ReportIn(StrictSerializer):
    monitor = serializers.UUIDField()
    window = serializers.CharField(
        max_length=40, help_text="a date or time in the window, ISO 8601, UTC"
    )


class ReportOut(serializers.ModelSerializer[Report]):
    monitor = serializers.UUIDField(source="window.monitor.uid")
    window_start = serializers.DateTimeField(source="window.start")
    job = serializers.UUIDField(source="job.uid", allow_null=True)
    snapshot_bytes = serializers.IntegerField(allow_null=True, help_text="gzipped")
    html_bytes = serializers.IntegerField(allow_null=True, help_text="gzipped")

    class Meta:
        model = Report
        fields = [
            "uid",
            "monitor",
            "window_start",
            "revision",
            "state",
            "error",
            "job",
            "created_at",
            "snapshot_bytes",
            "html_bytes",
        ]
