"""The Celery application: a door bell for the job table, nothing more.

celery -A config.celery worker -Q default,traffic -c 2 -P prefork -n main@%h
celery -A config.celery worker -Q reports -c 1 -n reports@%h
celery -A config.celery beat
"""

import os

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
app = Celery("countersign")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect
def _listen(sender: Celery, **_: object) -> None:
    """Beat asks for a dispatch; every worker dispatches too, so that beat may be dead."""
    from django.conf import settings

    sender.conf.beat_schedule_filename = str(settings.VAR_DIR / "celerybeat")
    sender.conf.beat_schedule = {
        "jobs.dispatch": {
            "task": "jobs.dispatch",
            "schedule": settings.JOB_DISPATCH_SECONDS,
            "options": {"queue": "default", "ignore_result": True},
        }
    }


@app.on_after_finalize.connect
def _dispatch_in_workers(sender: Celery, **_: object) -> None:
    from jobs.worker import DispatchStep

    sender.steps["worker"].add(DispatchStep)


@signals.worker_init.connect
def _without_pool(**_: object) -> None:
    """A pool's threads do not survive the fork into the worker's children."""
    from django.db import connections

    for alias in connections:
        connections.settings[alias]["OPTIONS"].pop("pool", None)
