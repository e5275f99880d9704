"""Jobs as the API shows them."""

from __future__ import annotations

from rest_framework import serializers

from jobs.models import Job


class JobOut(serializers.ModelSerializer[Job]):
    """One job. Poll it until ``finished_at`` is set."""

    class Meta:
        model = Job
        fields = (
            "uid",
            "kind",
            "queue",
            "title",
            "state",
            "progress",
            "message",
            "result",
            "error_code",
            "error",
            "attempts",
            "max_attempts",
            "cancel_requested",
            "created_at",
            "started_at",
            "next_run_at",
            "finished_at",
        )
        read_only_fields = fields
