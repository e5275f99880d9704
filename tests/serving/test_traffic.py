import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from serving.errors import EndpointRejected, EndpointUnavailable
from serving.traffic import _Engine, score_batches
from serving.wire import wire_of
from tests.serving import servers

pytestmark = pytest.mark.django_db

BATCHES = [[{"x": float(10 * batch + row)} for row in range(3)] for batch in range(8)]


def test_order_is_kept_when_answers_overtake_each_other(endpoint, server):
    async def later_is_quicker(call):
        first = call.rows[0][0]
        await asyncio.sleep(0.1 - first / 1000)
        await servers.echo_first(call)

    server.handler = later_is_quicker

    found = list(score_batches(endpoint, BATCHES, concurrency=4))

    assert [index for index, _ in found] == list(range(8))
    assert [p.scores.tolist() for _, p in found] == [[r["x"] for r in batch] for batch in BATCHES]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_calls_are_under_way_than_asked_for(concurrency, endpoint, server):
    async def slowly(call):
        await asyncio.sleep(0.03)
        await servers.echo_first(call)

    server.handler = slowly

    list(score_batches(endpoint, BATCHES, concurrency=concurrency))

    assert server.most_at_once == concurrency


def test_it_goes_on_from_a_cursor(endpoint, server):
    found = [index for index, _ in score_batches(endpoint, BATCHES, start=6)]

    assert found == [6, 7]
    assert len(server.calls) == 2


def test_batches_before_a_failure_are_yielded(endpoint, server):
    async def fails_at_the_fourth(call):
        if call.rows[0][0] == 30:
            call.answer(b"", status=500)
        else:
            await servers.echo_first(call)

    server.handler = fails_at_the_fourth
    seen = []

    with pytest.raises(EndpointUnavailable):
        seen.extend(index for index, _ in score_batches(endpoint, BATCHES, concurrency=2))

    assert seen == [0, 1, 2]


def test_a_slow_reader_makes_no_call_miss_its_deadline(endpoint, server):
    """The next answers arrive while the caller is busy for longer than the deadline."""
    stream = score_batches(endpoint, BATCHES, concurrency=2)
    next(stream)
    time.sleep(endpoint.timeout_ms / 1000 + 0.2)

    assert len(list(stream)) == 7


def test_batches_are_taken_as_they_are_needed(endpoint):
    taken = []

    def batches():
        for number, batch in enumerate(BATCHES):
            taken.append(number)
            assert threading.current_thread() is threading.main_thread()
            yield batch

    stream = score_batches(endpoint, batches(), concurrency=2)
    next(stream)
    assert taken == [0, 1]
    stream.close()


def test_leaving_early_leaves_no_thread_behind(endpoint, server):
    server.handler = servers.hang
    endpoint.timeout_ms = 60_000

    def stop_at_once():
        yield BATCHES[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(score_batches(endpoint, stop_at_once(), concurrency=2))

    assert "traffic" not in [thread.name for thread in threading.enumerate()]


def test_a_wrong_answer_names_its_batch_by_where_it_stops(endpoint, server):
    server.handler = servers.fixed({"predictions": [1]})

    with pytest.raises(EndpointRejected) as refusal:
        list(score_batches(endpoint, BATCHES))

    assert refusal.value.code == "wrong_count"


def test_a_thousand_rows_a_call_are_no_matter(version, server):
    from tests.factories.serving import EndpointFactory

    endpoint = EndpointFactory(version=version, url=server.url, max_batch_rows=1000)
    rows = [[{"x": 0.1 * n} for n in range(1000)] for _ in range(5)]

    found = list(score_batches(endpoint, rows))

    assert sum(len(p.scores) for _, p in found) == 5000
    assert len(server.calls) == 5


def test_a_stream_that_its_own_thread_ends_ends(endpoint, server):
    """As the garbage collector may, in whatever thread it happens to run."""
    engine = _Engine(wire_of(endpoint), 2).__enter__()

    engine.loop.call_soon_threadsafe(engine.__exit__, None, None, None)
    engine.thread.join(10)

    assert not engine.thread.is_alive()
    engine.loop.close()


def test_a_process_that_leaves_a_stream_open_still_exits(tmp_path):
    script = tmp_path / "forgetful.py"
    script.write_text(
        "from outbound.addresses import Policy\n"
        "from serving import traffic\n"
        "from serving.traffic import _Engine\n"
        "class Wire: workspace = None; deadline_s = 1\n"
        "traffic.policy_for = lambda workspace: Policy()\n"
        "def stream():\n"
        "    with _Engine(Wire(), 1):\n"
        "        yield 1\n"
        "kept = stream()\n"
        "next(kept)\n"
        "import builtins; builtins.kept = kept\n"
        "print('left open', flush=True)\n"
    )

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import django; django.setup(); exec(open({str(script)!r}).read())",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )

    assert "left open" in done.stdout, done.stderr
    assert done.returncode == 0
