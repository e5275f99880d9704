"""Compile every template of ours: a misspelt tag should not wait for the page that holds it."""

import sys
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Print one line per template that does not compile."""
    django.setup()
    from django.template import TemplateDoesNotExist, TemplateSyntaxError
    from django.template.loader import get_template

    failed = 0
    folder = ROOT / "templates"
    for path in sorted(folder.rglob("*.html")) + sorted(folder.rglob("*.txt")):
        name = path.relative_to(folder).as_posix()
        try:
            get_template(name)
        except (TemplateSyntaxError, TemplateDoesNotExist) as error:
            failed += 1
            print(f"templates/{name}: {type(error).__name__}: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
