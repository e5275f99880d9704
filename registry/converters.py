"""A semantic version as a part of a path; a plain number is never one."""

from django.urls import register_converter

from registry.semver import PATTERN


class SemanticVersionConverter:
    regex = PATTERN

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(SemanticVersionConverter, "semver")
