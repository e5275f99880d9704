"""Over real sockets: several parts at once, a killed web server, memory that stays flat."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest

from registry.models import Artifact, ArtifactUpload
from tests.factories import accounts
from tests.registry.artifacts.conftest import noise, sha

pytestmark = pytest.mark.serial
MB = 1024 * 1024
OCTETS = "application/octet-stream"


@pytest.fixture(autouse=True)
def storage() -> None:
    """The house has its own."""


@pytest.fixture
def sender(house: Any) -> Iterator[Any]:
    """A client with a token of somebody who may upload; survives a restart of the server."""
    person = house.person("model_owner")
    workspace = person.memberships.get().workspace
    _, text = accounts.token(workspace, user=person, scopes=None)
    with httpx.Client(headers={"Authorization": f"Bearer {text}"}, timeout=60) as client:
        yield client


def begin(house: Any, sender: Any, size: int, **fields: Any) -> str:
    body = {"name": "m.bin", "size": size, **fields}
    answer = sender.post(f"{house.url}/api/v1/artifacts/uploads", json=body)
    assert answer.status_code == 201, answer.text
    return f"{house.url}/api/v1/artifacts/uploads/{answer.json()['uid']}"


def send(sender: Any, url: str, offset: int, raw: bytes) -> Any:
    headers = {"Upload-Offset": str(offset), "Content-Type": OCTETS}
    return sender.patch(url, content=raw, headers=headers)


def test_a_killed_server_loses_nothing_that_it_acknowledged(house, sender):
    web = house.web()
    raw = noise(6 * MB)
    url = begin(house, sender, len(raw), sha256=sha(raw))
    acknowledged = 0
    for offset in (0, MB):
        acknowledged = send(sender, url, offset, raw[offset : offset + MB]).json()["offset"]

    # The third part is on its way when the server dies; nobody was told that it arrived.
    began = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield raw[2 * MB : 2 * MB + 1000]
        began.set()
        threading.Event().wait(2)
        yield raw[2 * MB + 1000 : 3 * MB]

    def cut() -> None:
        headers = {
            "Upload-Offset": str(2 * MB), "Content-Type": OCTETS, "Content-Length": str(MB),
        }  # fmt: skip
        with pytest.raises(httpx.HTTPError):
            sender.patch(url, content=slowly(), headers=headers)

    thread = threading.Thread(target=cut)
    thread.start()
    assert began.wait(10)
    web.kill()
    thread.join(20)

    house.web()
    state = sender.get(url.replace(url.split("/api")[0], house.url)).json()
    assert state["offset"] == acknowledged == 2 * MB
    for offset in range(MB, 6 * MB, MB):  # from one part too early: a repetition is accepted
        assert send(sender, url, offset, raw[offset : offset + MB]).status_code == 200
    done = sender.post(f"{url}/complete", json={})
    assert done.status_code == 201, done.text
    assert Artifact.objects.get().sha256 == sha(raw)
    lying = [path for path in (house.var / "storage").rglob("*") if path.is_file()]
    assert [path.name for path in lying if ".incoming" not in path.parts] == [sha(raw)]


def test_the_same_and_other_parts_at_once_make_one_file(house, sender):
    house.web()
    raw = noise(MB)
    url = begin(house, sender, len(raw))
    other = noise(len(raw) // 2)
    bodies = [raw[: len(raw) // 2]] * 3 + [other]
    barrier = threading.Barrier(len(bodies))
    answers: list[int] = []

    def one(body: bytes) -> None:
        barrier.wait(10)
        answers.append(_patient(sender, url, body))

    threads = [threading.Thread(target=one, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    upload = ArtifactUpload.objects.get()
    assert (upload.received, len(upload.parts)) == (len(raw) // 2, 1)
    won = raw[: len(raw) // 2] if upload.parts[0]["sha256"] != sha(other) else other
    same = 3 if won is not other else 1
    assert sorted(answers) == sorted([200] * same + [409] * (4 - same))
    folder = house.var / "storage" / "uploads" / str(upload.uid)
    assert len(list(folder.iterdir())) == 1


def _patient(sender: Any, url: str, body: bytes) -> int:
    """A client that sends again when it is asked to."""
    while (answer := send(sender, url, 0, body)).status_code == 503:
        threading.Event().wait(0.1)
    return int(answer.status_code)


def test_big_files_pass_through_in_bounded_memory(house, sender):
    web = house.web()
    raw = noise(8 * MB)
    count = 12  # 96 MB in all
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(raw)
    url = f"{house.url}/api/v1/artifacts/{digest.hexdigest()}"
    sender.get(f"{house.url}/api/v1/artifacts")  # everything is imported
    before = _memory(web.pid)
    peak = _Peak(web.pid)

    with peak:
        put = sender.put(
            f"{url}?name=big.bin",
            content=(raw for _ in range(count)),
            headers={"Content-Type": OCTETS, "Content-Length": str(len(raw) * count)},
        )
        assert put.status_code == 201, put.text
        taken = 0
        with sender.stream("GET", f"{url}/content") as answer:
            assert answer.status_code == 200
            for piece in answer.iter_raw():
                taken += len(piece)

    assert taken == len(raw) * count
    assert peak.highest - before < 60 * MB, f"{(peak.highest - before) / MB:.0f} MB more"


def _memory(pid: int) -> int:
    root = psutil.Process(pid)
    return sum(it.memory_info().rss for it in [root, *root.children(recursive=True)])


class _Peak:
    """The most memory that a process and its children had while it was watched."""

    def __init__(self, pid: int) -> None:
        self.pid, self.highest = pid, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.highest = max(self.highest, _memory(self.pid))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
