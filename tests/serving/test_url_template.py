"""What may stand in a template, and that no version's name decides whose machine is called."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Invalid
from serving.url_template import fill, has_open_host, origin_of, why_not_a_template

VALUES = {"model": "credit risk/é", "version": "7", "semantic_version": "2.1.0+b", "digest": "ab12"}


@pytest.mark.parametrize(
    ("template", "url"),
    [
        (
            "https://m.example/{model}/{version}/invocations",
            "https://m.example/credit%20risk%2F%C3%A9/7/invocations",
        ),
        ("http://10.0.0.1:8080/?v={version}&d={digest}", "http://10.0.0.1:8080/?v=7&d=ab12"),
        ("https://m.example?s={semantic_version}", "https://m.example?s=2.1.0%2Bb"),
        ("https://v{version}.models.internal/", "https://v7.models.internal/"),
        ("https://m.example/fixed", "https://m.example/fixed"),
    ],
)
def test_it_is_filled(template, url):
    assert why_not_a_template(template) is None
    assert fill(template, VALUES) == url


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("", "begins with"),
        ("ftp://m.example/{version}", "begins with"),
        ("https:///{version}", "begins with"),
        ("https://m.example/{run_id}", "There is no {run_id}"),
        ("https://m.example/{model.__class__}", "There is no"),
        ("https://m.example/{}", "There is no"),
        ("https://m.example/{version", "brace stands alone"),
        ("https://m.example/{{version}}", "brace stands alone"),
        ("https://{model}/", "last two parts"),
        ("https://{model}.com/", "last two parts"),
        ("https://models.{model}.internal/", "last two parts"),
        ("https://m.example:{version}/", "port is written out"),
        ("https://{model}@m.example/", "user name"),
        ("https://u:p@m.example/", "user name"),
        ("https://m.example/#{version}", "fragment"),
        ("https://m.example/a b", "blanks"),
        ("https://m.example\\@evil.example/", "backslashes"),
        ("https://m.example/" + "x" * 1024, "at most"),
        ("https://[::1/", "not a URL"),
    ],
)
def test_what_is_no_template_is_refused(template, why):
    assert why in why_not_a_template(template)


@pytest.mark.parametrize("name", ["evil.example/x", "a.b", "ä", "-a", "a_b", "", "x" * 64, "a b"])
def test_a_name_that_is_no_label_never_gets_into_a_host(name):
    with pytest.raises(Invalid):
        fill("https://{model}.models.internal/", {**VALUES, "model": name})


def test_a_value_that_is_not_there_is_named():
    with pytest.raises(Invalid, match="no semantic version"):
        fill("https://m.example/{semantic_version}", {**VALUES, "semantic_version": ""})


@given(st.text(min_size=1, max_size=60), st.sampled_from(["/{model}/x", "?q={model}"]))
def test_no_name_changes_the_origin_or_adds_a_segment(name, tail):
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    url = fill("https://m.example:8443" + tail, {"model": name})
    assert origin_of(url) == "https://m.example:8443"
    assert urlsplit(url).path.count("/") == (2 if tail.startswith("/") else 0)
    assert not urlsplit(url).fragment


def test_origins_and_open_hosts():
    assert origin_of("https://M.Example./x") == "https://m.example:443"
    assert origin_of("http://x:8080") == "http://x:8080"
    assert origin_of("gopher://x") == origin_of("http://x:y") == ""
    assert has_open_host("https://{model}.a.b/")
    assert not has_open_host("https://a.b/{model}")
