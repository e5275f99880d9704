"""What MLflow's CVEs did, tried here: paths in every text, traversal, canaries."""

from __future__ import annotations

import io
import pickle
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from jobs.services.run import run_until_idle
from registry.models import Artifact, ArtifactUpload
from tests.factories.registry_artifacts import ArtifactFactory
from tests.registry.artifacts.conftest import begin, complete, part, put, sha
from tests.registry.artifacts.files import onnx_model

pytestmark = pytest.mark.django_db

_TARGETS = ("etc/passwd", "proc/self/environ", "proc/self/root/etc/shadow", "root/.ssh/id_rsa")
_WAYS = (
    "/{}", "../../../../../../{}", "..\\..\\..\\..\\{}", "//{}", "///{}", "/./{}", "/x/../{}",
    "....//....//....//{}", "..;/..;/..;/{}", "..%2f..%2f..%2f{}", "..%252f..%252f..%252f{}",
    "%2e%2e/%2e%2e/%2e%2e/{}", "..%c0%af..%c0%af{}", "..%5c..%5c{}", "..／..／..／{}",
    "．．/．．/{}",
    "file:///{}", "file://localhost/{}", "FILE:///{}", "file:/{}", "file:{}", "local:///{}",
    "s3://bucket/../../{}", "runs:/../../../{}", "models:/../../{}", "mlflow-artifacts:/../../{}",
    "dbfs:/../../{}", "http://x/#/../../../{}", "http://x/?/../../../{}", "http://x/;/../../{}",
    "#/../../../{}", "?/../../../{}", ";/../../../{}", "~/{}", "~root/{}", "$HOME/../../{}",
    "${{HOME}}/../{}", "C:\\..\\..\\{}", "C:/{}", "\\\\?\\C:\\{}", "\\\\host\\share\\{}",
    "/dev/fd/0/../{}",
    "/proc/self/cwd/../{}", "/proc/self/root/{}", "sha256/../../../{}", "sha256:../../{}",
    "sha256/ab/cd/../../../../{}", ".incoming/../../{}", "uploads/../../../{}", "-/{}",
)  # fmt: skip
PAYLOADS = [way.format(target) for target in _TARGETS for way in _WAYS]


def test_there_are_two_hundred_payloads():
    assert len(set(PAYLOADS)) == 200


class _Opened:
    """What this process opens while it is watched; an audit hook cannot be taken off again."""

    def __init__(self) -> None:
        self.paths: list[str] | None = None
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        watched = event in ("open", "os.listdir", "os.remove", "os.rename", "os.mkdir", "os.rmdir")
        if self.paths is not None and watched and isinstance(arguments[0], (str, bytes, Path)):
            self.paths.append(str(arguments[0]))

    @contextmanager
    def watch(self) -> Iterator[list[str]]:
        self.paths = found = []
        try:
            yield found
        finally:
            self.paths = None


_opened: list[_Opened] = []


@pytest.fixture
def opened() -> _Opened:
    if not _opened:
        _opened.append(_Opened())
    return _opened[0]


def outside(paths: list[str], storage: Path) -> list[str]:
    """Those beyond the storage and the temporary folder; the interpreter's own are known."""
    allowed = (str(storage), tempfile.gettempdir(), "/dev/null", "/dev/urandom")
    ours = (sys.prefix, sys.base_prefix, str(Path(__file__).resolve().parents[3]))
    code = (".py", ".pyc", ".so", ".html")
    return [
        path
        for path in paths
        if not path.startswith(allowed)
        and not (path.startswith(ours) and path.endswith(code) and ".." not in path)
    ]


BASE = "/api/v1/artifacts"
OCTETS = {"content_type": "application/octet-stream"}


def taken(client: Any, payload: str) -> list[Any]:
    """The payload where any text is taken, or where it stands in the address."""
    path = quote(payload, safe="")
    return [
        begin(client, 10, name=payload[:255]),
        client.generic("PUT", f"{BASE}/{'0' * 64}?name={path}", b"bytes", **OCTETS),
        client.get(f"{BASE}/{path}/content"),
        client.get(f"{BASE}/{quote(payload, safe='/%:;.')}"),
    ]


def refused(client: Any, payload: str, known: str, uid: str) -> list[Any]:
    """The payload where only a digest, a number or a word of a list is."""
    path = quote(payload, safe="")
    raw_path = quote(payload, safe="/%:;.")
    return [
        begin(client, 10, sha256=payload),
        complete(client, uid, sha256=payload),
        client.get(f"{BASE}/{raw_path}/content"),
        client.get(f"{BASE}/uploads/{path}"),
        client.delete(f"{BASE}/uploads/{raw_path}"),
        client.generic("PUT", f"{BASE}/{path}?name=x", b"bytes", **OCTETS),
        client.generic("PATCH", f"{BASE}/uploads/{uid}", b"x", HTTP_UPLOAD_OFFSET=path, **OCTETS),
        client.get(f"{BASE}/{known}/content", HTTP_RANGE=path, HTTP_IF_RANGE=path),
        client.get(f"{BASE}/{known}/content", HTTP_IF_NONE_MATCH=path),
        client.get(f"{BASE}?q={path}&file_format={path}&state={path}"),
        client.post(f"{BASE}/{path}/inspect"),
    ]


def test_no_text_is_ever_a_path(builder, workspace, opened, storage, tree):
    known = ArtifactFactory(workspace=workspace, stored=b"known bytes").sha256
    uid = begin(builder, 10).json()["uid"]
    taken(builder, "warm/../up")  # imports happen here
    refused(builder, "warm/../up", known, uid)
    ArtifactUpload.objects.exclude(uid=uid).delete()
    before = tree()

    wrong: list[str] = []
    with opened.watch() as paths:
        for index, payload in enumerate(PAYLOADS):
            answers = taken(builder, payload)
            if index < len(_WAYS):
                answers += refused(builder, payload, known, uid)
            for number, answer in enumerate(answers):
                body = b"".join(answer) if answer.streaming else answer.content
                if answer.status_code >= 500 or b"root:" in body:
                    wrong.append(f"{number} {payload}: {answer.status_code}")
            ArtifactUpload.objects.exclude(uid=uid).delete()

    assert wrong == []
    assert outside(paths, storage) == []
    assert tree() == before
    assert Artifact.objects.count() == 1


def test_a_form_with_a_path_for_a_file_name_stores_by_digest(client_for, opened, storage, tree):
    client = client_for("model_owner")
    raw = b"the same bytes"
    for payload in ("warm", *PAYLOADS[::10]):
        file = io.BytesIO(raw)
        file.name = payload
        with opened.watch() as paths:
            answer = client.post("/new-artifact/", {"file": file, "sha256": ""})
        assert answer.status_code in (302, 422)
        if payload != "warm":
            assert outside(paths, storage) == []

    digest = sha(raw)
    assert tree() == {f"sha256/{digest[:2]}/{digest[2:4]}/{digest}": digest}


class Canary:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (str(self.path), "w"))


def test_a_canary_in_a_pickle_never_sings(builder, client_for, workspace, tmp_path):
    canary = tmp_path / "sang"
    for protocol in range(6):
        raw = pickle.dumps(Canary(canary), protocol)
        inside = io.BytesIO()
        with zipfile.ZipFile(inside, "w") as archive:
            archive.writestr("archive/data.pkl", raw)
        for name, body in (("m.pkl", raw), ("m.onnx", raw), ("m.pt", inside.getvalue())):
            stored = put(builder, body, name=name).json()
            assert stored["is_executable"], (protocol, name)
            assert stored["state"] == "stored"
            assert "never opened" in stored["notice"]
            client_for("viewer").get(f"/artifacts/{stored['sha256']}/")
            b"".join(builder.get(f"/api/v1/artifacts/{stored['sha256']}/content"))
    run_until_idle(5)

    assert not canary.exists()
    page = client_for("viewer").get(f"/artifacts/{stored['sha256']}/").content.decode()
    assert "never opened" in page
    assert "safe" not in page.lower().replace("safetensors", "").replace("x-safe", "")


def test_onnx_that_points_at_other_files_is_not_followed(builder, opened, storage):
    put(builder, onnx_model(), name="warm.onnx")
    run_until_idle(20)
    with opened.watch() as paths:
        for place in ("../../etc/passwd", "/etc/passwd", "weights.bin"):
            put(builder, onnx_model(external=place), name="m.onnx")
        run_until_idle(20)

    found = Artifact.objects.exclude(name="warm.onnx")
    assert {(it.state, "external data" in it.state_reason) for it in found} == {
        ("unreadable", True)
    }
    assert [path for path in outside(paths, storage) if "passwd" in path] == []


def test_archives_are_listed_and_never_unpacked(builder, tree):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../../../tmp/slipped", b"x")
        archive.writestr("bomb", bytes(30_000_000))
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    stored = put(builder, out.getvalue(), name="all.zip").json()
    run_until_idle(20)

    found = Artifact.objects.get(sha256=stored["sha256"])
    assert found.state == "inspected"
    assert (found.inspection["outside"], found.inspection["links"]) == (1, 1)
    assert found.inspection["unpacked"] > 30_000_000
    assert len(tree()) == 1
    assert not Path("/tmp/slipped").exists()


@pytest.mark.parametrize("name", ["", " ", "x" * 256, "a\x00b", "a\u202eb", "a\nb", "x" * 10_000])
def test_a_bad_name_is_a_clear_refusal(name, builder, tree):
    answer = begin(builder, 10, name=name)

    assert answer.status_code == 400
    assert tree() == {}
    assert not ArtifactUpload.objects.exists()


def test_two_parts_of_one_upload_are_bound_to_their_owner_and_end(builder):
    """An upload that was completed takes nothing more, whatever is said of it (CVE-2026-2651)."""
    uid = begin(builder, 4).json()["uid"]
    part(builder, uid, 0, b"abcd")
    complete(builder, uid)

    for offset in (0, 4):
        assert part(builder, uid, offset, b"zzzz").json()["code"] == "upload_ended"
    assert Artifact.objects.get().sha256 == sha(b"abcd")
