"""From a registration to an endpoint that answers: by template, by tag, by a hook that is real."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiToken
from audit.actions import Action
from common.errors import Conflict, Invalid
from jobs.models import Job
from jobs.registry import QUEUES
from jobs.services.claim import claim_next
from jobs.services.run import run as run_claim
from outbound.models import Destination, Message
from outbound.services.calls import sign
from outbound.services.deliver import deliver_due
from registry.models import Status
from registry.release import ReleaseInput
from registry.services import tags, versions
from serving.models import Endpoint, EndpointProvision
from serving.services import endpoints, provide, sources
from serving.services.hooks import TOLERANCE_S
from tests.factories.registry import ModelVersionFactory
from tests.factories.serving import EndpointFactory, EndpointProvisionFactory
from tests.serving import servers

pytestmark = pytest.mark.django_db

HOOK_SECRET = "whsec_0123456789abcdef"
SIGNATURE = {"inputs": [{"name": "x", "type": "double", "required": True}], "outputs": []}


@pytest.fixture(autouse=True)
def _no_waiting(settings):
    settings.OUTBOX_RETRY_SECONDS = 0.0


@pytest.fixture
def builder(caller_for):
    return caller_for("model_owner")


@pytest.fixture
def model(version):
    return version.model


@pytest.fixture
def register(builder, model, django_capture_on_commit_callbacks):
    """Registers the model's next version as any caller would, commit and all."""

    def make(tags=None):
        release = ReleaseInput(
            artifacts=[{"name": "m", "sha256": f"{time.monotonic_ns():064x}", "size": 1}],
            signature=SIGNATURE,
        )
        with django_capture_on_commit_callbacks(execute=True):
            return versions.register(caller=builder, model=model, release=release, tags=tags)

    return make


@pytest.fixture
def run(django_capture_on_commit_callbacks):
    """Runs what is due now, as a worker would, and waits for nothing."""

    def go():
        with django_capture_on_commit_callbacks(execute=True):
            while (claim := claim_next(QUEUES)) is not None:
                run_claim(claim)

    return go


def put(builder, model, kind="template", /, **given):
    return sources.put(caller=builder, model=model, kind=kind, **given)


def base(server):
    return f"http://127.0.0.1:{server.port}"


def test_a_template_gives_a_new_version_an_endpoint_that_was_probed(
    builder, model, server, register, run, recorded_actions
):
    put(
        builder,
        model,
        template=base(server) + "/{model}/{version}/invocations",
        secrets={"X-Key": "hunter2"},
    )
    version = register()
    run()

    endpoint = Endpoint.objects.get(version=version)
    assert endpoint.url == f"{base(server)}/credit-risk/2/invocations"
    assert (endpoint.state, endpoint.input_columns) == ("ready", ["x"])
    assert server.calls[-1].path == "/credit-risk/2/invocations"
    assert server.calls[-1].headers["x-key"] == "hunter2"
    provision = EndpointProvision.objects.get()
    assert (provision.state, provision.endpoint, provision.reason) == ("made", endpoint, "")
    assert Action.ENDPOINT_CREATED in recorded_actions()


def test_registering_costs_one_query_where_no_source_is_set(version, django_assert_num_queries):
    fresh = ModelVersionFactory(model=version.model)
    with django_assert_num_queries(1):
        assert provide.begin(version=fresh) is None


def test_an_address_that_is_refused_is_a_reason_and_an_event(
    builder, model, register, run, recorded_actions
):
    put(builder, model, template="http://10.0.0.1/{version}")
    version = register()
    run()
    provision = EndpointProvision.objects.get(version=version)
    assert provision.state == "failed"
    assert "private network" in provision.reason
    assert not Endpoint.objects.filter(version=version).exists()
    assert Action.ENDPOINT_REFUSED in recorded_actions()


def test_a_version_whose_values_do_not_fit_says_which(builder, model, server, register, run):
    put(builder, model, template=base(server) + "/{semantic_version}")
    version = register()
    run()
    assert "no semantic version" in EndpointProvision.objects.get(version=version).reason


def test_a_name_that_does_not_resolve_yet_is_tried_again(
    builder, model, register, run, monkeypatch
):
    put(builder, model, template="https://models.example/{version}")
    register()

    def unknown(*args):
        raise Invalid("models.example has no address.", code="host_not_found")

    monkeypatch.setattr(endpoints, "_checked", unknown)
    run()
    provision = EndpointProvision.objects.get()
    assert provision.state == "trying"
    job = Job.objects.get(kind=provide.PROVIDE_JOB)
    assert (job.state, job.cursor, job.message) == (
        "queued",
        {"tries": 1},
        "models.example has no address.",
    )
    EndpointProvision.objects.update(asked_at=timezone.now() - timedelta(hours=1))
    Job.objects.update(next_run_at=timezone.now())
    run()
    provision.refresh_from_db()
    assert (provision.state, provision.reason) == ("failed", "models.example has no address.")


def test_the_first_probe_waits_for_a_slow_container(builder, model, server, register, run):
    server.handler = servers.fixed({"error": "starting"}, status=503)
    put(builder, model, template=base(server) + "/{version}/invocations")
    version = register()
    run()
    endpoint = Endpoint.objects.get(version=version)
    assert endpoint.state == "failing"
    server.handler = servers.echo_first
    Job.objects.update(next_run_at=timezone.now())
    run()
    endpoint.refresh_from_db()
    assert endpoint.state == "ready"


def test_the_tag_names_the_endpoint_also_when_it_comes_later(
    builder, model, server, register, run, django_capture_on_commit_callbacks
):
    put(builder, model, "tag", origin=base(server))
    first = register(tags={provide.TAG: f"{base(server)}/a"})
    bare = register()
    elsewhere = register(tags={provide.TAG: "http://127.0.0.1:1/a"})
    run()
    assert Endpoint.objects.get(version=first).url.startswith(f"{base(server)}/a")
    assert not EndpointProvision.objects.filter(version=bare).exists()
    assert "must be at" in EndpointProvision.objects.get(version=elsewhere).reason

    with django_capture_on_commit_callbacks(execute=True):
        tags.set_on_version(
            caller=builder, version=bare, key=provide.TAG, value=f"{base(server)}/b"
        )
    run()
    assert Endpoint.objects.get(version=bare).url.startswith(f"{base(server)}/b")


def test_a_version_with_an_endpoint_is_left_alone(builder, model, server, version):
    put(builder, model, template=base(server) + "/{version}")
    EndpointFactory(version=version)
    assert provide.begin(version=version) is None
    with pytest.raises(Conflict, match="has an endpoint already"):
        provide.begin(version=version, caller=builder)


def test_by_hand_it_is_tried_again_and_only_once_at_a_time(builder, model, server, version):
    put(builder, model, template="http://10.0.0.1/{version}")
    first = provide.begin(version=version)
    with pytest.raises(Conflict, match="already"):
        provide.begin(version=version, caller=builder)
    provide.advance(provision=first)
    assert provide.begin(version=version) is None
    put(builder, model, template=base(server) + "/{version}")
    again = provide.advance(provision=provide.begin(version=version, caller=builder))
    assert again.state == "made"


def test_what_a_crash_kept_from_beginning_is_begun_by_the_sweep(builder, model, server, version):
    put(builder, model, template=base(server) + "/{version}")
    missed = ModelVersionFactory(model=model)
    refused = ModelVersionFactory(model=model, status=Status.FAILED)
    provide.sweep()
    assert [it.version for it in EndpointProvision.objects.all()] == [missed]
    provide.sweep()
    assert EndpointProvision.objects.count() == 1
    assert refused != version


class TestHook:
    @pytest.fixture
    def token(self, service_api):
        return service_api("model_owner", scopes=["read", "serving:write"])

    @pytest.fixture
    def asked(self, builder, model, server, register):
        server.handler = servers.fixed({}, status=202)
        put(
            builder,
            model,
            "hook",
            hook_url=f"{base(server)}/stand-up",
            hook_secret=HOOK_SECRET,
            origin=base(server),
        )
        version = register()
        assert deliver_due() == 1
        return EndpointProvision.objects.get(version=version)

    def answer(self, token, provision, content, /, **headers):
        raw = json.dumps(content).encode()
        stamp = int(time.time()) + headers.pop("off_by", 0)
        secret = headers.pop("secret", HOOK_SECRET)
        identity = headers.pop("identity", str(provision.uid))
        return token.post(
            reverse("v1:endpoint-hook-answer", args=[provision.uid]),
            raw,
            content_type="application/json",
            headers={
                "webhook-id": identity,
                "webhook-timestamp": str(stamp),
                "webhook-signature": sign(secret, identity, stamp, raw),
            },
        )

    def test_it_is_told_what_to_stand_up_and_answers(
        self, asked, server, token, run, recorded_actions
    ):
        call = server.calls[-1]
        told = json.loads(call.body)
        assert (call.path, told["type"]) == ("/stand-up", "endpoint.wanted")
        assert call.headers["webhook-signature"] == sign(
            HOOK_SECRET,
            call.headers["webhook-id"],
            int(call.headers["webhook-timestamp"]),
            call.body,
        )
        data = told["data"]
        assert (data["model"], data["version"]) == ("credit-risk", 2)
        assert data["digest"] == asked.version.release_digest
        assert data["id"] == str(asked.uid)
        assert data["answer_url"].endswith(f"/w/acme/api/v1/endpoint-hooks/{asked.uid}/answer")

        server.handler = servers.echo_first
        made = self.answer(
            token, asked, {"url": f"{base(server)}/v2/invocations", "secrets": {"X-Key": "k"}}
        )
        assert (made.status_code, made.json()["state"]) == (200, "made")
        run()
        endpoint = Endpoint.objects.get(version=asked.version)
        assert endpoint.state == "ready"
        assert server.calls[-1].headers["x-key"] == "k"

        again = self.answer(token, asked, {"url": f"{base(server)}/other"})
        assert (again.status_code, again.json()["code"]) == (409, "hook_is_over")
        assert Action.ENDPOINT_HOOK_CALLED in recorded_actions()
        assert recorded_actions().count(Action.ENDPOINT_HOOK_ANSWERED) == 1

    @pytest.mark.parametrize(
        "wrong",
        [
            {"secret": "another-secret-of-16"},
            {"off_by": -TOLERANCE_S - 60},
            {"off_by": TOLERANCE_S + 60},
            {"identity": "0191e0a0-0000-7000-8000-000000000000"},
        ],
    )
    def test_who_does_not_hold_the_secret_is_refused_and_recorded(
        self, asked, token, wrong, recorded_actions
    ):
        answer = self.answer(token, asked, {"url": "http://127.0.0.1:1/"}, **wrong)
        assert (answer.status_code, answer.json()["code"]) == (403, "hook_signature")
        assert recorded_actions()[-1] == Action.ENDPOINT_REFUSED
        asked.refresh_from_db()
        assert asked.state == "waiting"

    def test_a_body_that_was_changed_on_the_way_is_refused(self, asked, token):
        stamp = int(time.time())
        answer = token.post(
            reverse("v1:endpoint-hook-answer", args=[asked.uid]),
            b'{"url": "http://127.0.0.1:2/"}',
            content_type="application/json",
            headers={
                "webhook-id": str(asked.uid),
                "webhook-timestamp": str(stamp),
                "webhook-signature": sign(
                    HOOK_SECRET, str(asked.uid), stamp, b'{"url": "http://127.0.0.1:1/"}'
                ),
            },
        )
        assert answer.json()["code"] == "hook_signature"

    def test_the_token_alone_or_the_secret_alone_is_not_enough(self, asked, token, api, client):
        path = reverse("v1:endpoint-hook-answer", args=[asked.uid])
        assert token.post(path, {"url": "http://x/"}, format="json").status_code == 403
        viewer = self.answer(api("viewer"), asked, {"failed": "no"})
        assert (viewer.status_code, viewer.json()["code"]) == (403, "role_missing")
        reader = self.answer(api("model_owner", scopes=["read"]), asked, {"failed": "no"})
        assert reader.json()["code"] == "scope_missing"
        nobody = self.answer(client, asked, {"failed": "no"})
        assert nobody.status_code == 401
        assert ApiToken.objects.exists()

    def test_a_refused_url_does_not_use_up_the_answer(self, asked, server, token):
        wrong = self.answer(token, asked, {"url": "http://169.254.169.254/"})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "address_refused")
        asked.refresh_from_db()
        assert asked.state == "waiting"
        assert "Its answer was refused" in asked.reason
        right = self.answer(token, asked, {"url": f"{base(server)}/v2"})
        assert right.status_code == 200

    def test_it_may_say_that_it_could_not(self, asked, token):
        answer = self.answer(token, asked, {"failed": "No machine with a GPU is free."})
        assert answer.json()["state"] == "failed"
        assert answer.json()["reason"] == "The hook says: No machine with a GPU is free."

    def test_an_answer_that_is_far_too_large_is_said_so(self, asked, token, settings):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
        answer = self.answer(token, asked, {"failed": "x" * 1000})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    @pytest.mark.parametrize("content", [{}, {"url": "http://x/", "failed": "no"}, {"uri": "x"}])
    def test_an_answer_says_one_of_the_two(self, asked, token, content):
        assert self.answer(token, asked, content).status_code == 400

    def test_it_expires(self, asked, token, server):
        EndpointProvision.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        late = self.answer(token, asked, {"url": f"{base(server)}/v2"})
        assert (late.status_code, late.json()["code"]) == (409, "hook_expired")
        provide.sweep()
        asked.refresh_from_db()
        assert (asked.state, asked.endpoint) == ("expired", None)

    def test_a_hook_that_is_not_reached_is_a_reason(self, builder, model, server, register):
        server.handler = servers.fixed({}, status=404)
        put(builder, model, "hook", hook_url=base(server), hook_secret=HOOK_SECRET)
        version = register()
        deliver_due()
        provide.sweep()
        provision = EndpointProvision.objects.get(version=version)
        assert provision.state == "failed"
        assert provision.reason == "The hook was not reached. The receiver answers 404."

    def test_a_registration_that_is_rolled_back_asks_nobody(self, builder, model, server):
        put(builder, model, "hook", hook_url=base(server), hook_secret=HOOK_SECRET)
        versions.register(
            caller=builder,
            model=model,
            release=ReleaseInput(artifacts=[{"name": "m", "sha256": "a" * 64, "size": 1}]),
        )  # no commit follows in this test
        assert not Message.objects.exists()
        assert not Destination.objects.exists()

    def test_another_workspaces_answer_is_not_found(self, asked, token):
        elsewhere = EndpointProvisionFactory()
        assert self.answer(token, elsewhere, {"failed": "x"}).status_code == 404
