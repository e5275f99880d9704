#!/usr/bin/env python
"""Django's command line, as the PostgreSQL role that each command needs."""

import os
import sys

# One process is one role. Most commands are the application and run as cs_app, which may not
# change the schema; these change it. The lists are short on purpose: DATABASE_ROLE=… says
# otherwise for one call.
OWNER_COMMANDS = {"dbshell", "flush", "makemigrations", "migrate", "showmigrations", "sqlmigrate"}
SEALER_COMMANDS = {"sealer"}


def main() -> None:
    """Choose settings and role, then hand over to Django."""
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    if command in OWNER_COMMANDS:
        os.environ.setdefault("DATABASE_ROLE", "owner")
    elif command in SEALER_COMMANDS:
        os.environ.setdefault("DATABASE_ROLE", "sealer")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            f"{error}. Run 'make setup' and use .venv/bin/python manage.py …"
        ) from error
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
