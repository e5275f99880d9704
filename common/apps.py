"""The app that gives its template tags to all pages."""

from __future__ import annotations

from django.apps import AppConfig


class CommonConfig(AppConfig):
    """No models, no signals: template tags and shared conventions only."""

    name = "common"
