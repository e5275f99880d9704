import json
import math
import time
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from common.errors import Conflict, Invalid
from serving.errors import EndpointRejected, EndpointUnavailable
from serving.services.predict import predict
from serving.traffic import score_batches
from tests.factories.serving import EndpointFactory
from tests.serving import servers

pytestmark = pytest.mark.django_db

ROWS = [{"x": 0.25}, {"x": 0.5}, {"x": 0.75}]


def by_client(endpoint, rows):
    return predict(endpoint, rows)


def by_traffic(endpoint, rows):
    ((index, prediction),) = score_batches(endpoint, [rows])
    assert index == 0
    return prediction


WAYS = pytest.mark.parametrize("ask", [by_client, by_traffic])


@WAYS
def test_scores_come_in_the_order_of_the_rows(ask, endpoint, server):
    prediction = ask(endpoint, ROWS)

    assert prediction.scores.tolist() == [0.25, 0.5, 0.75]
    assert prediction.latency_ms > 0
    call = server.calls[0]
    assert call.path == "/invocations"
    assert call.headers["content-type"] == "application/json"
    assert json.loads(call.body) == {
        "dataframe_split": {"columns": ["x"], "data": [[0.25], [0.5], [0.75]]}
    }


@WAYS
def test_more_rows_than_a_batch_go_in_several_calls(ask, endpoint, server):
    prediction = ask(endpoint, [{"x": n} for n in range(10)])

    assert prediction.scores.tolist() == list(range(10))
    assert prediction.calls == 3
    assert [len(call.rows) for call in server.calls] == [4, 4, 2]


def leaks(call):
    """MLflow's own habit: the rows stand in the message."""
    return {"error_code": "BAD_REQUEST", "message": f"Failed to predict data '{call.body!r}'"}


UNAVAILABLE, REJECTED = EndpointUnavailable, EndpointRejected
MISBEHAVIOUR = {
    "hangs": (servers.hang, UNAVAILABLE, "timeout"),
    "drips": (servers.drip, UNAVAILABLE, "timeout"),
    "breaks off": (servers.break_off, UNAVAILABLE, "unreachable"),
    "closes at once": (servers.say_nothing, UNAVAILABLE, "unreachable"),
    "speaks no http": (servers.no_http, UNAVAILABLE, "unreachable"),
    "500": (servers.fixed(leaks, status=500), UNAVAILABLE, "http_500"),
    "503": (servers.fixed(b"", status=503), UNAVAILABLE, "http_503"),
    "429": (servers.fixed(b"", status=429), UNAVAILABLE, "throttled"),
    "400": (servers.fixed(leaks, status=400), REJECTED, "bad_rows"),
    "401": (servers.fixed(b"", status=401), REJECTED, "unauthorized"),
    "404": (servers.fixed(b"<html>", status=404), REJECTED, "no_such_path"),
    "418": (servers.fixed(b"", status=418), REJECTED, "http_418"),
    "204": (servers.fixed(b"", status=204), REJECTED, "http_204"),
    "redirects": (
        servers.fixed(b"", status=302, headers={"location": "http://169.254.169.254/"}),
        REJECTED,
        "redirected",
    ),
    "redirects for good": (
        servers.fixed(b"", status=308, headers={"location": "/elsewhere"}),
        REJECTED,
        "redirected",
    ),
    "is endless": (servers.endless, REJECTED, "too_large"),
    "html": (servers.fixed(b"<html></html>"), REJECTED, "bad_json"),
    "half a json": (servers.fixed(b'{"predictions": [1, 2'), REJECTED, "bad_json"),
    "fewer scores": (servers.fixed({"predictions": [0.5, 0.5]}), REJECTED, "wrong_count"),
    "more scores": (servers.fixed({"predictions": [0.5] * 4}), REJECTED, "wrong_count"),
    "nan": (servers.fixed(b'{"predictions": [0.5, NaN, 0.5]}'), REJECTED, "not_a_number"),
    "infinity": (servers.fixed(b'{"predictions": [0.5, 0.5, 1e999]}'), REJECTED, "not_a_number"),
    "null": (servers.fixed({"predictions": [None, 0.5, 0.5]}), REJECTED, "not_a_number"),
    "text": (servers.fixed({"predictions": ["0.5", 0.5, 0.5]}), REJECTED, "not_a_number"),
    "true": (servers.fixed({"predictions": [True, 0.5, 0.5]}), REJECTED, "not_a_number"),
    "other shape": (servers.fixed({"outputs": [1, 2, 3]}), REJECTED, "wrong_shape"),
}


@WAYS
@pytest.mark.parametrize("case", MISBEHAVIOUR)
def test_misbehaviour_is_named_within_the_deadline_and_quotes_nothing(ask, case, endpoint, server):
    server.handler, kind, code = MISBEHAVIOUR[case]
    endpoint.timeout_ms = 3000 if case == "is endless" else 500
    started = time.monotonic()

    with pytest.raises(kind) as refusal:
        ask(endpoint, [{"x": 0.123456789}, *ROWS[1:]])

    assert refusal.value.code == code
    assert time.monotonic() - started < endpoint.timeout_ms / 1000 + 2
    assert "0.123456789" not in refusal.value.message
    assert len(refusal.value.message) < 300
    assert len(server.calls) == 1  # neither followed nor tried again


def test_mlflows_own_code_is_kept_and_its_message_is_not(endpoint, server):
    server.handler = servers.fixed(leaks, status=400)

    with pytest.raises(EndpointRejected, match="BAD_REQUEST"):
        predict(endpoint, ROWS)


@WAYS
@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/invocations",
        "http://[::1]:5432/",
        "http://10.0.0.1/invocations",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0/invocations",
        "http://2130706433/",
    ],
)
def test_an_address_is_checked_again_when_it_is_dialled(ask, url, version):
    """The row was written by whatever way; no connection is made all the same."""
    endpoint = EndpointFactory(version=version, url=url)

    with pytest.raises(EndpointRejected) as refusal:
        ask(endpoint, ROWS)

    assert refusal.value.code == "refused_address"


@WAYS
def test_nobody_there_is_unavailable(ask, endpoint, server):
    server.stop()

    with pytest.raises(EndpointUnavailable) as refusal:
        ask(endpoint, ROWS)

    assert refusal.value.code == "unreachable"


@WAYS
@pytest.mark.parametrize(
    "row", [{}, {"y": 1}, {"x": math.inf}, {"x": object()}, {"x": b"raw"}, {"x": [1]}]
)
def test_a_row_that_cannot_be_sent_is_our_mistake(ask, row, endpoint, server):
    with pytest.raises(Invalid):
        ask(endpoint, [row])

    assert not server.calls


def test_values_of_tables_become_json(version, server):
    server.handler = servers.fixed({"predictions": [1.0]})
    values = {
        "a": np.float32(0.5),
        "b": np.int64(7),
        "c": math.nan,
        "d": None,
        "e": Decimal("0.25"),
        "f": datetime(2026, 1, 2, tzinfo=UTC),
        "g": np.bool_(True),
        "h": "ä",
    }
    endpoint = EndpointFactory(version=version, url=server.url, input_columns=list(values))

    predict(endpoint, [values])

    assert server.calls[0].rows == [
        [0.5, 7, None, None, 0.25, "2026-01-02T00:00:00+00:00", True, "ä"]
    ]


def test_a_retired_endpoint_is_not_asked(endpoint, server):
    endpoint.retired_at = datetime.now(UTC)

    with pytest.raises(Conflict):
        predict(endpoint, ROWS)

    assert not server.calls
