import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.actions import Action
from serving.models import Endpoint
from tests.factories.serving import EndpointFactory
from tests.serving import servers

pytestmark = pytest.mark.django_db


@pytest.fixture
def builder(api):
    return api("model_owner")


def url(route, /, **kwargs):
    return reverse(f"v1:{route}", kwargs=kwargs)


def given(version, server, /, **fields):
    return {"name": "e", "model": version.model.name, "version": 1, "url": server.url, **fields}


def test_register_probe_and_retire(builder, version, server, recorded_actions):
    made = builder.post(
        url("endpoint-list"),
        given(version, server, mapping={"index": 1}, secrets={"Authorization": "Bearer hunter2"}),
    )
    assert made.status_code == 201, made.json()
    body = made.json()
    assert body["secret_headers"] == ["authorization"]
    assert "hunter2" not in made.content.decode()
    assert body["mapping"] == {
        "path": "predictions",
        "field": None,
        "index": 1,
        "positive_class": 1,
    }

    probed = builder.post(url("endpoint-probe", uid=body["uid"]), {}).json()
    assert (probed["code"], probed["endpoint"]["state"]) == ("ok", "ready")

    secret = builder.post(
        url("endpoint-secrets", uid=body["uid"]), {"header": "X-Key", "value": "hunter3"}
    )
    assert (secret.status_code, secret.content) == (204, b"")
    assert builder.post(url("endpoint-retire", uid=body["uid"])).json()["retired_at"]
    assert builder.post(url("endpoint-probe", uid=body["uid"]), {}).status_code == 409
    assert recorded_actions() == [
        Action.ENDPOINT_CREATED,
        Action.SECRET_SET,
        Action.ENDPOINT_PROBED,
        Action.SECRET_SET,
        Action.ENDPOINT_RETIRED,
    ]


def test_a_failed_probe_says_what_was_found(builder, endpoint, server):
    server.handler = servers.fixed({"predictions": [0.5]})

    answer = builder.post(url("endpoint-probe", uid=endpoint.uid), {})

    assert answer.status_code == 200
    assert answer.json()["code"] == "wrong_count"
    assert answer.json()["endpoint"]["state"] == "failing"


@pytest.mark.parametrize(
    "where",
    ["http://169.254.169.254/", "http://10.0.0.1/", "http://127.0.0.1:1/", "file:///etc/passwd"],
)
def test_an_address_that_is_not_dialled_is_refused_and_recorded(
    where, builder, version, server, recorded_actions
):
    answer = builder.post(url("endpoint-list"), given(version, server, url=where))

    assert (answer.status_code, answer.json()["code"]) == (400, "address_refused")
    assert "url" in answer.json()["errors"]
    assert not Endpoint.objects.exists()
    assert recorded_actions() == [Action.ENDPOINT_REFUSED]


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"extra": 1}, 400, "extra"),
        ({"name": "../../etc/passwd"}, 400, "name"),
        ({"name": "x" * 1_000_000}, 400, "name"),
        ({"url": "http://example.org/" + "x" * 2000}, 400, "url"),
        ({"mapping": {"path": 1, "jq": "."}}, 400, "mapping"),
        ({"mapping": {"positive_class": [1]}}, 400, "mapping"),
        ({"timeout_ms": 10}, 400, "timeout_ms"),
        ({"input_columns": ["a", "a"]}, 400, "input_columns"),
        ({"secrets": {"Host": "x"}}, 400, "secrets"),
        ({"secrets": {"X": {"a": 1}}}, 400, "secrets"),
        ({"version": 99}, 404, None),
        ({"model": "nope"}, 404, None),
    ],
)
def test_bad_input_is_refused_in_words(
    fields, status, field, builder, version, server, recorded_actions
):
    answer = builder.post(url("endpoint-list"), given(version, server, **fields))

    assert answer.status_code == status, answer.json()
    assert answer["content-type"] == "application/problem+json"
    if field is not None:
        assert field in answer.json()["errors"]
    assert not Endpoint.objects.exists()
    assert recorded_actions() == []


@pytest.mark.parametrize("rows", [[], [{}] * 101, ["x"], [{"x": [1]}], [{"y": 1}]])
def test_bad_probe_rows_are_refused(rows, builder, endpoint, server):
    answer = builder.post(url("endpoint-probe", uid=endpoint.uid), {"rows": rows})

    assert answer.status_code == 400
    assert "rows" in answer.json()["errors"]
    assert not server.calls


def test_another_workspaces_endpoint_is_not_found(builder):
    endpoint = EndpointFactory()

    for method, route in (
        ("get", "endpoint-detail"),
        ("post", "endpoint-probe"),
        ("post", "endpoint-retire"),
        ("post", "endpoint-secrets"),
    ):
        assert getattr(builder, method)(url(route, uid=endpoint.uid)).status_code == 404


def test_the_list_is_filtered_and_asks_as_often_for_twelve_as_for_two(builder, version):
    def count():
        with CaptureQueriesContext(connection) as asked:
            builder.get(url("endpoint-list"))
        return len(asked)

    for _ in range(2):
        EndpointFactory(version=version)
    count()
    few = count()
    for _ in range(10):
        EndpointFactory(version__model__workspace=version.model.workspace)

    assert count() == few
    found = builder.get(url("endpoint-list"), {"model": version.model.name, "version": 1}).json()
    assert len(found["results"]) == 2
    assert builder.get(url("endpoint-list"), {"version": "x"}).status_code == 400
