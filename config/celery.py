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
            "options": {"queue": "default", "ignore_result": True, "expires": 60},
        }
    }


@app.on_after_finalize.connect
def _dispatch_in_workers(sender: Celery, **_: object) -> None:
    from jobs.worker import DispatchStep

    sender.steps["worker"].add(DispatchStep)


@signals.worker_init.connect
def _prepare_connections(**_: object) -> None:
    """How a worker's database connections differ from the web's.

    No pool: its threads do not survive the fork into the worker's children. And no transaction
    idles past a lease: a stopped or hung worker would keep its job's row locked, so that nobody
    could take the job over; PostgreSQL ends it instead.
    """
    from django.conf import settings
    from django.db import connections

    idle_ms = int(settings.JOB_LEASE_SECONDS * 1000)
    for alias in connections:
        options = connections.settings[alias]["OPTIONS"]
        options.pop("pool", None)
        given = options.get("options", "")
        options["options"] = f"{given} -c idle_in_transaction_session_timeout={idle_ms}".strip()
