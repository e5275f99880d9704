import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.fernet import Fernet
from django.db import IntegrityError, transaction

from audit.actions import Action
from audit.models import Event
from common.errors import AlreadyExists, Conflict, Invalid, NotAllowed
from registry.services import datasets
from serving import selectors
from serving.errors import EndpointRefused, EndpointRejected, EndpointUnavailable
from serving.models import Endpoint, EndpointSecret
from serving.secrets import SecretUnreadable
from serving.services import endpoints
from serving.services.predict import predict
from serving.signals import endpoint_ready
from tests.factories.registry import ModelVersionFactory, VersionDatasetFactory
from tests.factories.serving import EndpointFactory
from tests.serving import servers

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller(caller_for):
    return caller_for("model_owner")


def create(caller, version, server, **fields):
    return endpoints.create(
        **{"caller": caller, "version": version, "name": "e", "url": server.url, **fields}
    )


def test_create_sends_the_signatures_columns_unless_told(caller, version, server, recorded_actions):
    endpoint = create(caller, version, server)
    other = create(caller, version, server, name="f", input_columns=["b", "a"])

    assert endpoint.input_columns == ["x"]
    assert other.input_columns == ["b", "a"]
    assert endpoint.state == Endpoint.State.UNKNOWN
    assert not server.calls
    assert recorded_actions() == [Action.ENDPOINT_CREATED] * 2


def test_a_bare_server_address_gets_the_protocols_path(caller, version, server):
    endpoint = create(caller, version, server, url=f"http://127.0.0.1:{server.port}/")

    assert endpoint.url == server.url


REFUSED = [
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/",
    "http://127.0.0.1:1/invocations",
    "http://localhost:1/invocations",
    "http://10.0.0.1/invocations",
    "http://192.168.1.1/",
    "http://[::1]/",
    "http://0177.0.0.1/",
    "http://2130706433/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "http://user:secret@example.org/",
    "http:///invocations",
    "not a url",
    "http://a\x00b/",
    "http://127.0.0.1\\@example.org/",
    "x" * 5000,
]


@pytest.mark.parametrize("url", REFUSED, ids=lambda url: url[:40])
def test_an_address_that_is_not_dialled_is_refused_and_recorded(
    caller, version, url, recorded_actions
):
    with (
        pytest.raises(EndpointRefused) as refusal,
        endpoints.refusals_recorded(caller=caller, name="e"),
    ):
        endpoints.create(caller=caller, version=version, name="e", url=url)

    assert refusal.value.fields.keys() == {"url"}
    assert not Endpoint.objects.exists()
    assert recorded_actions() == [Action.ENDPOINT_REFUSED]
    assert "secret" not in Event.objects.get().body


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "../../etc/passwd"}, "name"),
        ({"name": "x" * 10_000_000}, "name"),
        ({"protocol": "telepathy"}, "protocol"),
        ({"mapping": {"jq": ".[]"}}, "mapping"),
        ({"timeout_ms": 99}, "timeout_ms"),
        ({"timeout_ms": 10**9}, "timeout_ms"),
        ({"max_batch_rows": 0}, "max_batch_rows"),
        ({"input_columns": ["a", "a"]}, "input_columns"),
        ({"input_columns": [""]}, "input_columns"),
        ({"secrets": {"Host": "x"}}, "secrets"),
        ({"secrets": {"Content-Length": "0"}}, "secrets"),
        ({"secrets": {"X\r\nY": "x"}}, "secrets"),
        ({"secrets": {"X-Key": "a\r\nb"}}, "secrets"),
        ({"secrets": {"X-Key": ""}}, "secrets"),
        ({"secrets": {f"X-{n}": "a" for n in range(11)}}, "secrets"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(caller, version, server, fields, field):
    with pytest.raises(Invalid) as refusal:
        create(caller, version, server, **fields)

    assert field in refusal.value.fields
    assert not Endpoint.objects.exists()
    assert not Event.objects.exists()


def test_a_version_without_a_signature_needs_columns(caller, workspace, server):
    version = ModelVersionFactory(model__workspace=workspace, signature={"inputs": []})

    with pytest.raises(Invalid, match="signature"):
        create(caller, version, server)


def test_another_workspaces_version_is_none(caller, server):
    with pytest.raises(Invalid) as refusal:
        create(caller, ModelVersionFactory(), server)

    assert "version" in refusal.value.fields


def test_a_name_is_taken_once(caller, version, server):
    create(caller, version, server)

    with pytest.raises(AlreadyExists):
        create(caller, version, server)


def test_a_viewer_creates_nothing(caller_for, version, server):
    with pytest.raises(NotAllowed):
        create(caller_for("viewer"), version, server)


def test_secrets_are_sent_and_lie_encrypted(caller, version, server, recorded_actions):
    endpoint = create(caller, version, server, secrets={"Authorization": "Bearer hunter2"})

    predict(endpoint, [{"x": 1.0}])

    assert server.calls[0].headers["authorization"] == "Bearer hunter2"
    assert b"hunter2" not in bytes(EndpointSecret.objects.get().ciphertext)
    assert recorded_actions() == [Action.ENDPOINT_CREATED, Action.SECRET_SET]
    assert not Event.objects.filter(body__contains="hunter2").exists()


def test_a_secret_is_replaced_and_needs_its_key(caller, version, server, settings):
    endpoint = create(caller, version, server, secrets={"X-Key": "old"})
    old_keys = list(settings.FIELD_KEYS)

    settings.FIELD_KEYS = [Fernet.generate_key().decode(), *old_keys]
    predict(endpoint, [{"x": 1.0}])
    endpoints.rotate_secret(caller=caller, endpoint=endpoint, header="x-KEY", value="new")
    settings.FIELD_KEYS = settings.FIELD_KEYS[:1]
    predict(selectors.get_endpoint(caller.workspace, endpoint.uid), [{"x": 1.0}])

    assert [call.headers["x-key"] for call in server.calls] == ["old", "new"]
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(SecretUnreadable):
        predict(endpoint, [{"x": 1.0}])


def test_a_secret_goes_over_no_plain_connection_to_the_outside(caller, version, server):
    public = "93.184.216.34/invocations"

    with pytest.raises(Invalid) as refusal:
        create(caller, version, server, url=f"http://{public}", secrets={"X-Key": "mine"})
    assert "secrets" in refusal.value.fields
    assert not Endpoint.objects.exists()
    open_ = create(caller, version, server, url=f"http://{public}")
    with pytest.raises(Invalid):
        endpoints.set_secret(caller=caller, endpoint=open_, header="X-Key", value="mine")
    create(caller, version, server, name="f", url=f"https://{public}", secrets={"X-Key": "mine"})

    assert EndpointSecret.objects.count() == 1


def test_a_secret_copied_to_another_endpoint_does_not_open(caller, version, server):
    mine = create(caller, version, server, secrets={"X-Key": "mine"})
    other = create(caller, version, server, name="f", secrets={"X-Key": "theirs"})
    EndpointSecret.objects.filter(endpoint=other).update(
        ciphertext=EndpointSecret.objects.get(endpoint=mine).ciphertext
    )

    with pytest.raises(SecretUnreadable):
        predict(other, [{"x": 1.0}])
    assert not server.calls


def test_a_probe_is_a_real_predict(
    caller, endpoint, server, recorded_actions, django_capture_on_commit_callbacks
):
    heard = []

    def hear(sender, endpoint, **kwargs):
        heard.append(endpoint.pk)

    endpoint_ready.connect(hear)
    try:
        for _ in range(2):
            with django_capture_on_commit_callbacks(execute=True):
                endpoints.probe(caller=caller, endpoint=endpoint)
    finally:
        endpoint_ready.disconnect(hear)

    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.state_reason) == (Endpoint.State.READY, "")
    assert endpoint.probe_ms > 0
    assert endpoint.probed_at is not None
    assert endpoint.probe_detail["scores"] == [0.0, 0.0, 0.0]
    assert len(server.calls[0].rows) == 3
    assert heard == [endpoint.pk]
    assert recorded_actions() == [Action.ENDPOINT_PROBED] * 2


def test_a_probe_uses_rows_of_the_versions_dataset(caller, endpoint, server, settings, tmp_path):
    storages = {**settings.STORAGES}
    storages["default"] = {**storages["default"], "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = storages
    file = io.BytesIO()
    pq.write_table(pa.table({"x": [0.1, 0.2, 0.3, 0.4], "y": [1, 0, 1, 0]}), file)
    file.seek(0)
    dataset = datasets.upload(caller=caller, name="holdout", fileobj=file)
    VersionDatasetFactory(version=endpoint.version, dataset=dataset, use="validation")
    VersionDatasetFactory(version=endpoint.version, use="training")

    endpoints.probe(caller=caller, endpoint=endpoint)

    assert server.calls[0].rows == [[0.1], [0.2], [0.3]]
    assert endpoint.probe_detail["source"] == "the first rows of holdout"


@pytest.mark.parametrize(
    ("handler", "kind", "code"),
    [
        (servers.hang, EndpointUnavailable, "timeout"),
        (servers.fixed(b"", status=500), EndpointUnavailable, "http_500"),
        (servers.fixed({"predictions": [1]}), EndpointRejected, "wrong_count"),
    ],
)
def test_a_failed_probe_is_written_down_and_raised(
    handler, kind, code, caller, endpoint, server, recorded_actions
):
    endpoints.probe(caller=caller, endpoint=endpoint)
    server.handler = handler

    with pytest.raises(kind) as refusal:
        endpoints.probe(caller=caller, endpoint=endpoint)

    endpoint.refresh_from_db()
    assert endpoint.state == Endpoint.State.FAILING
    assert endpoint.state_reason == refusal.value.message
    assert (refusal.value.code, endpoint.probe_detail["code"]) == (code, code)
    assert endpoint.probe_ms is None
    assert recorded_actions() == [Action.ENDPOINT_PROBED] * 2


@pytest.mark.parametrize("rows", [[], [{"x": 1.0}] * 101])
def test_a_probe_takes_a_few_rows(rows, caller, endpoint):
    with pytest.raises(Invalid):
        endpoints.probe(caller=caller, endpoint=endpoint, rows=rows)


def test_given_rows_are_not_kept(caller, endpoint):
    endpoints.probe(caller=caller, endpoint=endpoint, rows=[{"x": 0.987654321}])

    endpoint.refresh_from_db()
    assert "0.987654321" not in json.dumps({**endpoint.probe_detail, "scores": []})
    assert not Event.objects.filter(body__contains="0.987654321").exists()


def test_a_retired_endpoint_stays_so(caller, version, server, recorded_actions):
    endpoint = create(caller, version, server, secrets={"X-Key": "mine"})
    assert selectors.endpoint_for(version) == endpoint

    endpoints.retire(caller=caller, endpoint=endpoint)

    assert selectors.endpoint_for(version) is None
    assert not EndpointSecret.objects.exists()
    endpoint.refresh_from_db()
    for act in (
        lambda: endpoints.retire(caller=caller, endpoint=endpoint),
        lambda: endpoints.probe(caller=caller, endpoint=endpoint),
        lambda: endpoints.set_secret(caller=caller, endpoint=endpoint, header="a", value="b"),
    ):
        with pytest.raises(Conflict):
            act()
    assert recorded_actions()[-1] == Action.ENDPOINT_RETIRED


def test_the_newest_endpoint_serves(version):
    EndpointFactory(version=version)
    newest = EndpointFactory(version=version)

    assert selectors.endpoint_for(version) == newest


def test_the_database_keeps_what_evidence_was_measured_through():
    endpoint = EndpointFactory()
    rows = Endpoint.objects.filter(pk=endpoint.pk)

    for change in (
        {"url": "http://elsewhere/"},
        {"mapping": {}},
        {"input_columns": []},
        {"version": ModelVersionFactory()},
        {"name": "x"},
        {"protocol": "x"},
    ):
        with pytest.raises(IntegrityError, match="does not change"), transaction.atomic():
            rows.update(**change)
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        rows._raw_delete("default")
    rows.update(timeout_ms=5000, state="ready")
