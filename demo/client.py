"""What a pipeline has (a token) and what a person has (a browser's form), and nothing more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, TypeVar

import httpx

T = TypeVar("T")


class Refused(Exception):
    """The API answered with a problem document."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        try:
            self.body: dict[str, Any] = response.json()
        except ValueError:
            self.body = {"detail": response.text[:500]}
        where = f"{response.request.method} {response.request.url.path}"
        super().__init__(f"{where}: {self.status} {self.body.get('detail') or self.body}")


class Api:
    """The REST API with one bearer token."""

    def __init__(self, base_url: str, token: str) -> None:
        self.http = httpx.Client(
            base_url=f"{base_url}/api/v1/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=90.0,
            trust_env=False,
        )

    def get(self, path: str, **params: Any) -> Any:
        return _body(self.http.get(path, params=params))

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        if body is not None:
            options["json"] = body
        return _body(self.http.post(path, **options))

    def put(self, path: str, body: Any) -> Any:
        return _body(self.http.put(path, json=body))

    def status(self, path: str, **params: Any) -> tuple[int, dict[str, Any]]:
        """Status and body, whatever they are."""
        response = self.http.get(path, params=params)
        return response.status_code, response.json()


def _body(response: httpx.Response) -> Any:
    if response.status_code >= 400:
        raise Refused(response)
    return response.json() if response.content else None


class Browser:
    """A person with cookies who fills in the forms that the pages show."""

    def __init__(self, base_url: str) -> None:
        self.http = httpx.Client(
            base_url=base_url, follow_redirects=True, timeout=30.0, trust_env=False
        )

    def page(self, path: str) -> str:
        response = self.http.get(path)
        response.raise_for_status()
        return response.text

    def fill(self, path: str, fields: dict[str, str]) -> httpx.Response:
        """Open a page, find the form that has all of these fields, fill it in, and send it.

        Raises: RuntimeError when the page shows no such form: then nobody could send it.
        """
        forms = _Forms()
        forms.feed(self.page(path))
        form = next((f for f in forms.found if set(fields) <= f.names), None)
        if form is None:
            raise RuntimeError(f"{path} shows no form with {', '.join(sorted(fields))}")
        origin = str(self.http.base_url).rstrip("/")
        return self.http.post(
            form.action or path,
            data={**form.hidden, **form.chosen(fields)},
            headers={"Referer": f"{origin}{path}"},
        )

    def sign_in(self, email: str, password: str) -> None:
        """The real sign-in form. Raises: RuntimeError when it lets nobody in."""
        response = self.fill("/accounts/login/", {"login": email, "password": password})
        if "sessionid" not in self.http.cookies:
            raise RuntimeError(f"{email} could not sign in: {response.status_code}")


@dataclass
class _Form:
    action: str
    hidden: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    options: dict[str, dict[str, str]] = field(default_factory=dict)

    def chosen(self, fields: dict[str, str]) -> dict[str, str]:
        """What is sent: of a list, the value behind the words that a person reads."""
        return {
            name: self.options.get(name, {}).get(value, value) for name, value in fields.items()
        }


class _Forms(HTMLParser):
    """The forms of a page: their actions, hidden values, and the names of all fields."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[_Form] = []
        self._select = ""
        self._option: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(_Form(action=values.get("action", "")))
        elif tag in {"input", "select", "textarea", "button"} and self.found:
            name = values.get("name")
            if name:
                self.found[-1].names.add(name)
                if values.get("type") == "hidden":
                    self.found[-1].hidden[name] = values.get("value", "")
                if tag == "select":
                    self._select = name
        elif tag == "option" and self._select:
            self._option = values.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._option is not None and self.found:
            words = self.found[-1].options.setdefault(self._select, {})
            words[data.strip()] = self._option

    def handle_endtag(self, tag: str) -> None:
        if tag == "option":
            self._option = None
        elif tag == "select":
            self._select = ""


def wait_for(
    ask: Callable[[], T], until: Callable[[T], bool], *, timeout_s: float, every_s: float = 0.5
) -> T:
    """Ask until the answer is as wanted.

    Raises: TimeoutError with the last answer.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        answer = ask()
        if until(answer):
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"still {str(answer)[:600]} after {timeout_s:.0f} s")
        time.sleep(every_s)
