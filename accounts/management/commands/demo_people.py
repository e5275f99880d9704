"""``manage.py demo_people``: the demo's people with fresh passwords, as JSON."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.services import demo_people
from common.errors import DomainError


class Command(BaseCommand):
    help = "Makes the demo's people, or gives them new passwords; prints JSON. Not in production."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            people = demo_people.refresh()
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(json.dumps(people, indent=2))
