"""The agent's own manners, against a Countersign and an Envoy that are played."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command

from delivery.agent import envoy_admin
from delivery.agent.apply import Applier, Refused
from delivery.agent.control import Control, ControlUnreachable
from delivery.agent.run import Agent
from delivery.xds.render import render


class Site:
    """Answers the agent's calls with whatever ``answers`` says next."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: tuple[int, dict[str, str], bytes] = (304, {}, b"")
        self.hold = threading.Event()  # unset: answers wait
        self.hold.set()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                site.hold.wait(20)
                headers = {name.lower(): value for name, value in self.headers.items()}
                site.asked.append((self.command, self.path, headers, body))
                status, extra, content = site.answer
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                if status != 304:
                    self.send_header("content-length", str(len(content)))
                self.end_headers()
                if status != 304:
                    self.wfile.write(content)

            do_GET = do_POST = _any

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


def whole(revision=3):
    return json.dumps(render(revision, [])).encode()


@pytest.mark.parametrize("name", ["ETag", "etag", "ETAG"])
def test_the_etag_is_sent_back_however_its_name_is_spelt(site, name):
    control = Control(site.url, "g", "secret")
    site.answer = (200, {name: '"3"'}, whole())
    assert control.poll(wait_s=1)["revision"] == 3
    site.answer = (304, {}, b"")
    assert control.poll(wait_s=1) is None
    first, second = site.asked
    assert first[1] == "/xds/v1/gateways/g?wait=1"
    assert first[2]["authorization"] == "Bearer secret"
    assert "if-none-match" not in first[2]
    assert second[2]["if-none-match"] == '"3"'


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b""),
        (401, {}, b""),
        (302, {"location": "/accounts/login/"}, b""),
        (200, {}, b"<html>"),
        (200, {}, b"[]"),
        (200, {}, b"{}"),
        (200, {}, b'{"revision": "x", "cds": {}, "rds": {}}'),
        (200, {}, b'{"revision": 1, "cds": {"resources": [{}]}, "rds": {}}'),
        (200, {}, b'{"revision": 1, "cds": null, "rds": {}}'),
    ],
)
def test_what_is_no_configuration_changes_nothing(site, answer):
    control = Control(site.url, "g", "secret", etag='"2"')
    site.answer = answer
    with pytest.raises(ControlUnreachable):
        control.poll(wait_s=1)
    assert control.etag == '"2"'


def test_nobody_there_is_said_in_one_way():
    control = Control("http://127.0.0.1:9", "g", "secret")
    with pytest.raises(ControlUnreachable):
        control.poll(wait_s=1)
    with pytest.raises(ControlUnreachable):
        control.report({})


def agent_at(site, tmp_path, **options):
    applier = Applier(tmp_path, admin_port=9)
    return Agent(Control(site.url, "g", "t"), applier, report_every_s=30.0, **options)


def run_for(agent, seconds):
    thread = threading.Thread(target=agent.run, daemon=True)
    thread.start()
    time.sleep(seconds)
    agent.stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_site_without_a_seat_is_not_asked_in_a_hurry(site, tmp_path):
    run_for(agent_at(site, tmp_path, retry_s=0.2), 0.7)
    assert 2 <= len(site.asked) <= 6


def test_it_ends_at_once_although_its_poll_still_waits(site, tmp_path):
    site.hold.clear()
    agent = agent_at(site, tmp_path)
    thread = threading.Thread(target=agent.run, daemon=True)
    thread.start()
    time.sleep(0.5)
    began = time.monotonic()
    agent.end()
    thread.join(10)
    site.hold.set()
    assert not thread.is_alive()
    assert time.monotonic() - began < 3


def test_a_refused_revision_is_reported_and_not_tried_again(site, tmp_path, monkeypatch):
    agent = agent_at(site, tmp_path, retry_s=0.2)
    site.answer = (200, {"ETag": '"3"'}, whole())
    tried = []

    def refuse(config):
        tried.append(config["revision"])
        site.answer = (304, {}, b"")
        raise Refused("unknown cluster")

    monkeypatch.setattr(agent.applier, "apply", refuse)
    run_for(agent, 0.5)
    assert tried == [3]
    assert (agent.refused_revision, agent.refused_reason) == (3, "unknown cluster")


def test_while_envoy_is_away_the_revision_is_fetched_again(site, tmp_path):
    site.answer = (200, {"ETag": '"3"'}, whole())
    agent = agent_at(site, tmp_path, retry_s=0.1)
    run_for(agent, 0.6)

    assert len(site.asked) >= 2
    assert all("if-none-match" not in headers for _, _, headers, _ in site.asked)
    assert agent.refused_revision == 0


def test_a_bug_in_a_report_does_not_end_the_reports(site, tmp_path, monkeypatch):
    agent = agent_at(site, tmp_path, retry_s=0.05)
    agent.report_every_s = 0.05
    calls = []

    def broken(port):
        calls.append(port)
        raise KeyError("good")

    monkeypatch.setattr(envoy_admin, "read", broken)
    run_for(agent, 0.6)
    assert len(calls) >= 2


def test_a_reading_by_hand():
    reading = envoy_admin.parse(
        {
            "stats": [
                {"name": "cluster_manager.cds.version_text", "value": "7"},
                {"name": "http.gateway.rds.countersign.version_text", "value": "6"},
                {"name": "cluster_manager.cds.update_rejected", "value": 2},
                {"name": "cluster.ep-1a-2b.upstream_rq_2xx", "value": 8},
                {"name": "cluster.ep-1a-2b.upstream_rq_completed", "value": 10},
                {"name": "cluster.other.upstream_rq_completed", "value": 99},
                {
                    "histograms": [
                        {
                            "name": "cluster.ep-1a-2b.upstream_rq_time",
                            "buckets": [{"upper_bound": 0.5, "interval": 1, "cumulative": 9}],
                        }
                    ]
                },
            ]
        }
    )
    assert (reading.cds_version, reading.rds_version, reading.cds_rejected) == ("7", "6", 2)
    assert reading.clusters == {"ep-1a-2b": {"answers": 10, "bad": 2, "buckets": [[0.5, 9]]}}
    assert Applier(None, 0).applied_revision(reading) == 6  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"stats": 3}', b'{"stats": [3]}', b'{"stats": [{"histograms": 3}]}']
)
def test_an_admin_port_that_says_something_else_is_unreachable(site, body):
    site.answer = (200, {}, body)
    with pytest.raises(envoy_admin.AdminUnreachable):
        envoy_admin.read(site.server.server_port)


def test_the_command_wants_its_token_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("GATEWAY_TOKEN", raising=False)
    with pytest.raises(CommandError, match="GATEWAY_TOKEN"):
        call_command(
            "gateway_agent", "g", control="http://127.0.0.1:9", folder=tmp_path, admin_port=9
        )


def test_the_agents_files_are_its_owners_alone(tmp_path):
    applier = Applier(tmp_path, admin_port=9)
    with pytest.raises(envoy_admin.AdminUnreachable):
        applier.apply(render(1, []))
    (written,) = tmp_path.iterdir()
    assert written.name == "cds.yaml"
    assert written.stat().st_mode & 0o777 == 0o600
