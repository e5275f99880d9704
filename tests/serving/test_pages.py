import pytest
from django.urls import reverse

from audit.actions import Action
from serving.models import Endpoint
from tests.factories.serving import EndpointFactory
from tests.serving import servers

pytestmark = pytest.mark.django_db


def url(route, /, **kwargs):
    return reverse(f"serving:{route}", kwargs=kwargs)


def text_of(answer):
    return " ".join(answer.content.decode().split())


@pytest.fixture
def builder(client_for):
    return client_for("model_owner")


def form(server, **fields):
    return {
        "name": "e",
        "url": server.url,
        "path": "predictions",
        "input_columns": "x\n",
        "timeout_ms": "500",
        "max_batch_rows": "100",
        **fields,
    }


def test_add_an_endpoint_and_probe_it(builder, version, server, recorded_actions):
    place = url("endpoint-create", name=version.model.name, number=1)
    assert builder.get(place).context["form"].initial["input_columns"] == "x"

    made = builder.post(place, form(server, header="X-Key", secret="hunter2"))
    endpoint = Endpoint.objects.get()
    assert made.headers["Location"] == url("endpoint-detail", uid=endpoint.uid)
    assert "Nothing was sent there yet." in text_of(builder.get(made.headers["Location"]))
    builder.post(url("endpoint-probe", uid=endpoint.uid))
    page = text_of(builder.get(made.headers["Location"]))

    assert "It scored <strong>3 rows</strong> in" in page
    assert "x-key" in page
    assert "hunter2" not in page
    assert "rows made up from the signature" in page
    server.handler = servers.fixed({"predictions": [0.5]})
    builder.post(url("endpoint-probe", uid=endpoint.uid))
    page = text_of(builder.get(made.headers["Location"]))
    assert "3 rows were sent and 1 answers came back." in page
    builder.post(url("endpoint-retire", uid=endpoint.uid))
    assert builder.post(url("endpoint-probe", uid=endpoint.uid)).status_code == 409
    assert recorded_actions() == [
        Action.ENDPOINT_CREATED,
        Action.SECRET_SET,
        Action.ENDPOINT_PROBED,
        Action.ENDPOINT_PROBED,
        Action.ENDPOINT_RETIRED,
    ]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"url": "http://169.254.169.254/"}, 409),
        ({"url": "http://10.0.0.1/"}, 409),
        ({"url": "nonsense"}, 409),
        ({"url": ""}, 422),
        ({"name": "a/b"}, 409),
        ({"name": "a\x00"}, 422),
        ({"index": "-1"}, 422),
        ({"timeout_ms": "1"}, 422),
        ({"input_columns": ""}, 422),
        ({"input_columns": "a\na"}, 409),
        ({"header": "X-Key"}, 422),
        ({"header": "Host", "secret": "x"}, 409),
    ],
)
def test_a_bad_form_is_shown_again(fields, status, builder, version, server):
    place = url("endpoint-create", name=version.model.name, number=1)

    answer = builder.post(place, form(server, **fields))

    assert answer.status_code == status
    assert not Endpoint.objects.exists()


def test_a_refused_address_stands_at_the_field_and_in_the_trail(
    builder, version, server, recorded_actions
):
    place = url("endpoint-create", name=version.model.name, number=1)

    answer = builder.post(place, form(server, url="http://169.254.169.254/"))

    assert "metadata" in text_of(answer)
    assert recorded_actions() == [Action.ENDPOINT_REFUSED]


def test_the_list_counts_what_fails(builder, version):
    EndpointFactory(version=version, state="failing")
    EndpointFactory(version=version, state="ready")

    text = text_of(builder.get(url("endpoint-list")))

    assert "<strong>2 endpoints</strong> in use" in text
    assert '<a href="?state=failing">1 failing</a>' in text


def test_a_versions_page_has_its_endpoints(builder, version):
    place = url("version-endpoints", name=version.model.name, number=1)
    assert "No endpoint serves this version" in text_of(builder.get(place))

    endpoint = EndpointFactory(version=version)

    assert endpoint.name in text_of(builder.get(place))
    page = builder.get(reverse("registry:version-detail", args=[version.model.name, 1]))
    assert f'hx-get="{place}"' in page.content.decode()


def test_another_workspaces_endpoint_is_404(builder):
    endpoint = EndpointFactory()

    assert builder.get(url("endpoint-detail", uid=endpoint.uid)).status_code == 404
    assert builder.post(url("endpoint-probe", uid=endpoint.uid)).status_code == 404
