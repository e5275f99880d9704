"""What a policy's gates say about a new version, before anybody asked to promote it."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import common.ids


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("evaluation", "0002_immutable"),
        ("governance", "0003_refusals"),
        ("registry", "0005_version_latest_in_stage"),
    ]

    operations = [
        migrations.CreateModel(
            name="RegistrationCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=common.ids.uuid7, editable=False, unique=True)),
                (
                    "is_gated",
                    models.BooleanField(default=False, help_text="whether it settles the status"),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("running", "Evidence is running"),
                            ("passes", "Passes"),
                            ("fails", "Fails"),
                            ("could_not_compute", "Could not be computed"),
                            ("no_policy", "No policy applies"),
                        ],
                        default="running",
                        max_length=20,
                    ),
                ),
                (
                    "runs",
                    models.PositiveIntegerField(default=1, help_text="how often it was begun"),
                ),
                (
                    "refusals",
                    models.JSONField(
                        default=dict,
                        help_text="why evidence could not be asked for, by “kind on dataset”",
                    ),
                ),
                (
                    "begun_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "deadline_at",
                    models.DateTimeField(help_text="when a version that waits is answered anyway"),
                ),
                ("evaluated_at", models.DateTimeField(blank=True, null=True)),
                (
                    "environment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="registry.environment",
                    ),
                ),
                (
                    "live_version",
                    models.ForeignKey(
                        blank=True,
                        help_text="what it was last compared with",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="registry.modelversion",
                    ),
                ),
                (
                    "policy_revision",
                    models.ForeignKey(
                        blank=True,
                        help_text="the newest one when this run began; null when none is for this model",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="governance.policyrevision",
                    ),
                ),
                (
                    "version",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="registration_check",
                        to="registry.modelversion",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="CheckGate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveSmallIntegerField()),
                (
                    "name",
                    models.CharField(
                        help_text="the condition as the policy words it", max_length=300
                    ),
                ),
                ("title", models.CharField(help_text="the same for a reader", max_length=300)),
                ("metric", models.CharField(blank=True, max_length=100)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("passes", "Passes"),
                            ("fails", "Fails"),
                            ("could_not_compute", "Could not be computed"),
                            ("not_applicable", "Not applicable"),
                            ("waiting", "Waiting"),
                        ],
                        default="waiting",
                        max_length=20,
                    ),
                ),
                (
                    "severity",
                    models.CharField(
                        choices=[("block", "Blocks"), ("warn", "Warns")],
                        default="block",
                        max_length=8,
                    ),
                ),
                ("comparison", models.CharField(blank=True, max_length=2)),
                ("observed", models.FloatField(blank=True, null=True)),
                ("lower", models.FloatField(blank=True, null=True)),
                ("upper", models.FloatField(blank=True, null=True)),
                ("limit", models.FloatField(blank=True, null=True)),
                ("live_value", models.FloatField(blank=True, null=True)),
                ("is_worse_than_live", models.BooleanField(default=False)),
                (
                    "explanation",
                    models.TextField(blank=True, help_text="one or two sentences for a reader"),
                ),
                ("remedy", models.TextField(blank=True, help_text="what would turn it green")),
                (
                    "evaluated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "evidence",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="evaluation.evidence",
                    ),
                ),
                (
                    "check_run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="gates",
                        to="governance.registrationcheck",
                    ),
                ),
            ],
            options={
                "ordering": ["position"],
                "abstract": False,
            },
        ),
        migrations.AddIndex(
            model_name="registrationcheck",
            index=models.Index(
                condition=models.Q(("state__in", ["running", "could_not_compute"])),
                fields=["deadline_at"],
                name="check_unsettled",
            ),
        ),
        migrations.AddConstraint(
            model_name="registrationcheck",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["running", "passes", "fails", "could_not_compute", "no_policy"])
                ),
                name="check_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="registrationcheck",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("environment", None), ("policy_revision", None), ("state", "no_policy")
                    ),
                    models.Q(
                        ("environment__isnull", False),
                        ("policy_revision__isnull", False),
                        models.Q(("state", "no_policy"), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="check_policy_is_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="registrationcheck",
            constraint=models.CheckConstraint(
                condition=models.Q(("runs__gte", 1)), name="check_runs_is_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="checkgate",
            constraint=models.UniqueConstraint(
                fields=("check_run", "position"), name="check_gate_position_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="checkgate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        ["passes", "fails", "could_not_compute", "not_applicable", "waiting"],
                    )
                ),
                name="check_gate_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="checkgate",
            constraint=models.CheckConstraint(
                condition=models.Q(("severity__in", ["block", "warn"])),
                name="check_gate_severity_is_known",
            ),
        ),
    ]
