"""An export proves itself with Python's standard library alone, and a changed one does not."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from audit import keys, merkle, note, offline
from audit.errors import NothingSealed
from audit.models import Checkpoint, Event
from audit.services import export
from audit.services.export import write_export
from audit.services.seal import seal_once
from audit.services.verify import verify_export
from tests.audit.conftest import ADA, write

Members = dict[str, bytes]


@pytest.fixture
def trail(db: None) -> list[Event]:
    """Two workspaces interleaved under three checkpoints, and one event that is not sealed."""
    events = []
    for batch in (3, 5, 40):
        for number in range(batch):
            events += write(
                object_name=f"model é{number}", workspace=["acme", "globex"][number % 2]
            )
        seal_once()
    return events + write()


def made(tmp_path: Path, workspace: str | None = None) -> Path:
    path = tmp_path / f"{workspace or 'whole'}.zip"
    with path.open("wb") as file:
        write_export(file, workspace=workspace)
    return path


def fingerprint() -> str:
    return keys.fingerprint(keys.configured_public_key() or b"")


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The verifier that lies in the zip, without site-packages, environment or our checkout."""
    script = path.with_suffix(".verify.py")
    with zipfile.ZipFile(path) as archive:
        script.write_bytes(archive.read("verify.py"))
    return subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(path), *arguments],
        cwd="/",
        env={},
        capture_output=True,
        text=True,
        timeout=60,
    )


def rewritten(path: Path, change: Callable[[Members], None]) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    target = path.with_name(f"changed-{path.name}")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def pack(items: list[Any]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def test_whole_export_verifies_under_the_bare_interpreter(trail, tmp_path):
    done = run(made(tmp_path), "--key", fingerprint())

    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert last == "VALID: all 48 events are the signed trail; the key you named signed it."
    assert "96 names and texts fit their commitments" in done.stdout


def test_workspace_export_proves_each_event_and_holds_nothing_of_others(trail, tmp_path):
    path = made(tmp_path, "globex")
    done = run(path, "--key", fingerprint())

    assert done.returncode == 0, done.stdout + done.stderr
    assert "each of 23 events of workspace globex is in the trail of 48" in done.stdout
    assert "not that nothing was left out" in done.stdout
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            assert b'\\"workspace\\":\\"acme' not in archive.read(name)
        assert len(lines(archive.read("disclosures.jsonl"))) == 46


def test_proofs_hold_across_tiles(db, tmp_path):
    write(3, workspace="globex")
    write(300)
    seal_once(batch=280)
    seal_once()
    write(2, workspace="globex")
    seal_once()

    done = run(made(tmp_path, "globex"), "--key", fingerprint())

    assert done.returncode == 0, done.stdout + done.stderr
    assert "each of 5 events of workspace globex is in the trail of 305" in done.stdout


def test_an_unpacked_export_verifies_where_it_lies(trail, tmp_path):
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(made(tmp_path)) as archive:
        archive.extractall(folder)

    def verify() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-S", "verify.py", "--key", fingerprint()],
            cwd=folder,
            env={},
            capture_output=True,
            text=True,
            timeout=60,
        )

    done = verify()
    assert done.returncode == 0, done.stdout + done.stderr
    events = folder / "events.jsonl"
    events.write_bytes(events.read_bytes().replace(b"model", b"x", 1))
    assert verify().returncode == 1
    events.unlink()
    assert "NOT VALID: the export cannot be read" in verify().stdout


def test_the_verifier_says_when_no_key_came_from_outside(trail, tmp_path):
    path = made(tmp_path)

    assert "no outside key fingerprint was given" in run(path).stdout
    assert "no outside key fingerprint was given" in verify_export(path).sentence


def test_a_key_that_did_not_sign_is_told(trail, tmp_path):
    done = run(made(tmp_path), "--key", "sha256:" + "0" * 64)

    assert done.returncode == 1
    assert "NOT VALID: the key you named is not among this export's keys" in done.stdout


def edit_body(members: Members) -> None:
    members["events.jsonl"] = members["events.jsonl"].replace(b"model", b"muddle", 1)


def drop_one(members: Members) -> None:
    members["events.jsonl"] = pack(
        lines(members["events.jsonl"])[:4] + lines(members["events.jsonl"])[5:]
    )


def drop_tail(members: Members) -> None:
    members["events.jsonl"] = pack(lines(members["events.jsonl"])[:-1])


def swap(members: Members) -> None:
    items = lines(members["events.jsonl"])
    items[1]["body"], items[2]["body"] = items[2]["body"], items[1]["body"]
    members["events.jsonl"] = pack(items)


def say_another_size(members: Members) -> None:
    notes = json.loads(members["checkpoints.json"])
    members["checkpoints.json"] = json.dumps(
        [notes[0].replace("\n3\n", "\n2\n"), *notes[1:]]
    ).encode()


def name_somebody_else(members: Members) -> None:
    members["disclosures.jsonl"] = members["disclosures.jsonl"].replace(b"Ada", b"Bob", 1)


def reverse_checkpoints(members: Members) -> None:
    members["checkpoints.json"] = json.dumps(json.loads(members["checkpoints.json"])[::-1]).encode()


def no_checkpoints(members: Members) -> None:
    members["checkpoints.json"] = b"[]"


def another_format(members: Members) -> None:
    members["about.json"] = b'{"format": 2, "workspace": null}'


def not_json(members: Members) -> None:
    members["keys.json"] = b"["


def wrong_shapes(members: Members) -> None:
    members["events.jsonl"] = b"[]\n"


def no_last_newline(members: Members) -> None:
    members["events.jsonl"] = members["events.jsonl"].rstrip(b"\n")


def lose_a_file(members: Members) -> None:
    del members["disclosures.jsonl"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (edit_body, "do not have the root of the signed checkpoint"),
        (drop_one, "event 4 is missing"),
        (drop_tail, "48 events are signed for, 47 are here"),
        (swap, "do not have the root"),
        (say_another_size, "carries no valid signature"),
        (name_somebody_else, "the actor_label of event 0 is not what was recorded"),
        (reverse_checkpoints, "not one growing log"),
        (no_checkpoints, "no signed checkpoint"),
        (another_format, "format 2 is not known"),
        (not_json, "malformed"),
        (wrong_shapes, "malformed"),
        (no_last_newline, "cut off"),
        (lose_a_file, "malformed"),
    ],
)
def test_a_changed_export_is_refused_with_its_reason(trail, tmp_path, change, words):
    path = rewritten(made(tmp_path), change)

    done = run(path, "--key", fingerprint())

    assert done.returncode == 1
    assert done.stderr == ""
    last = done.stdout.splitlines()[-1]
    assert last.startswith("NOT VALID: ")
    assert words in last
    assert verify_export(path).sentence == last


def test_a_changed_part_is_refused(trail, tmp_path):
    def swap_proofs(members: Members) -> None:
        items = lines(members["proofs.jsonl"])
        items[1]["inclusion"], items[2]["inclusion"] = items[2]["inclusion"], items[1]["inclusion"]
        members["proofs.jsonl"] = pack(items)

    def break_growth(members: Members) -> None:
        members["consistency.json"] = json.dumps(
            json.loads(members["consistency.json"])[1:]
        ).encode()

    def drop_event(members: Members) -> None:
        members["events.jsonl"] = pack(lines(members["events.jsonl"])[1:])

    def drop_last_event(members: Members) -> None:
        members["events.jsonl"] = pack(lines(members["events.jsonl"])[:-1])

    def another_workspace(members: Members) -> None:
        members["about.json"] = members["about.json"].replace(b"globex", b"acme")

    path = made(tmp_path, "globex")
    for change, words in [
        (edit_body, "is not in the signed trail"),
        (swap_proofs, "is not in the signed trail"),
        (break_growth, "does not continue the first"),
        (drop_event, "do not belong to the events"),
        (drop_last_event, "proofs without their events"),
        (another_workspace, "is not of workspace acme"),
        (name_somebody_else, "is not what was recorded"),
    ]:
        done = run(rewritten(path, change))
        assert done.returncode == 1, change.__name__
        assert words in done.stdout, change.__name__


def test_an_export_rebuilt_around_another_key_fails_only_by_the_fingerprint(trail, tmp_path):
    """Without a fingerprint from outside this passes: why the verifier says so."""
    stranger = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    public = stranger.public_key().public_bytes_raw()

    def forge(members: Members) -> None:
        edit_body(members)
        items = lines(members["events.jsonl"])
        hashes = [merkle.leaf_hash(item["body"].encode()) for item in items]
        notes = []
        for text in json.loads(members["checkpoints.json"]):
            old, _ = note.parse(text)
            new = note.Statement(old.origin, old.size, merkle.root(hashes[: old.size]))
            notes.append(note.sign(new, stranger))
        members["checkpoints.json"] = json.dumps(notes).encode()
        members["keys.json"] = json.dumps([{"public_key": export._b64(public)}]).encode()

    path = rewritten(made(tmp_path), forge)

    assert run(path).returncode == 0
    done = run(path, "--key", fingerprint())
    assert done.returncode == 1
    assert "not among this export's keys" in done.stdout


def test_a_kept_checkpoint_shows_a_tail_that_was_cut_off(trail, tmp_path):
    kept = tmp_path / "kept.txt"
    kept.write_text(Checkpoint.objects.get(tree_size=48).note)

    def cut(members: Members) -> None:
        members["events.jsonl"] = pack(lines(members["events.jsonl"])[:8])
        members["checkpoints.json"] = json.dumps(
            json.loads(members["checkpoints.json"])[:2]
        ).encode()
        members["disclosures.jsonl"] = pack(
            [item for item in lines(members["disclosures.jsonl"]) if item["i"] < 8]
        )

    whole = made(tmp_path)
    cut_off = rewritten(whole, cut)

    assert run(whole, "--checkpoint", str(kept)).returncode == 0
    assert run(cut_off, "--key", fingerprint()).returncode == 0, "the control of this experiment"
    done = run(cut_off, "--key", fingerprint(), "--checkpoint", str(kept))
    assert done.returncode == 1
    assert "your checkpoint covers 48 events, this log has 8" in done.stdout


def test_a_kept_checkpoint_between_the_exported_ones_is_compared_too(trail, tmp_path):
    hashes = [
        merkle.leaf_hash(body.encode())
        for body in Event.objects.order_by("pk").values_list("body", flat=True)
    ]
    origin = note.parse(Checkpoint.objects.get(tree_size=3).note)[0].origin
    kept = tmp_path / "kept.txt"
    path = made(tmp_path)
    for root, status in ((merkle.root(hashes[:5]), 0), (bytes(32), 1)):
        kept.write_text(note.sign(note.Statement(origin, 5, root), keys.signing_key()))
        assert run(path, "--checkpoint", str(kept)).returncode == status


def test_an_erased_value_leaves_the_export_valid(trail, tmp_path):
    trail[0].pii.all().delete()
    path = made(tmp_path)

    done = run(path)

    assert done.returncode == 0
    assert "2 personal values are erased or withheld" in done.stdout


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04" + b"\x00" * 100])
def test_what_is_no_zip_is_a_sentence_not_a_traceback(tmp_path, data):
    path = tmp_path / "x.zip"
    path.write_bytes(data)

    assert "cannot be read" in verify_export(path).sentence
    assert "cannot be read" in verify_export(tmp_path / "missing.zip").sentence


def test_a_truncated_or_bit_flipped_zip_is_never_valid_and_never_a_traceback(trail, tmp_path):
    whole = made(tmp_path).read_bytes()
    path = tmp_path / "broken.zip"
    for at in range(0, len(whole), len(whole) // 40):
        flipped = bytearray(whole)
        flipped[at] ^= 0x55
        for data in (whole[:at], bytes(flipped)):
            path.write_bytes(data)
            report = verify_export(path)
            if report.ok:  # a byte that no one reads: the README, the verifier, a time stamp
                assert data != whole[:at]
                assert report.events == 48


def test_two_members_of_one_name_are_refused(trail, tmp_path):
    path = made(tmp_path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("events.jsonl", b"")

    assert "two files of the same name" in verify_export(path).sentence


def test_nothing_sealed_is_nothing_to_export(db):
    write()
    with pytest.raises(NothingSealed):
        write_export(io.BytesIO())


def test_export_is_streamed_and_its_queries_follow_pages_not_rows(trail, django_assert_num_queries):
    with django_assert_num_queries(6):  # last; sizes; checkpoints; events; values: leaves, values
        pieces = list(export.chunks())
    assert len(pieces) > 3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "PAGE", 10)
        smaller = list(export.chunks())
    assert len(smaller) > len(pieces)
    assert max(len(piece) for piece in smaller) < len(b"".join(pieces)) / 2


def test_many_checkpoints_are_thinned_but_first_and_last_stay(db, tmp_path):
    for _ in range(12):
        write()
        seal_once()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "MAX_CHECKPOINTS", 5)
        path = made(tmp_path)
    with zipfile.ZipFile(path) as archive:
        sizes = [note.parse(text)[0].size for text in json.loads(archive.read("checkpoints.json"))]

    assert len(sizes) == 5
    assert (sizes[0], sizes[-1]) == (1, 12)
    assert run(path).returncode == 0


def test_command_writes_the_whole_export_and_records_it(trail, tmp_path, capsys):
    path = tmp_path / "trail.zip"

    call_command("audit_export", path)
    call_command("audit_verify", path, key=fingerprint())

    assert "VALID: all 48 events" in capsys.readouterr().out
    assert path.stat().st_mode & 0o077 == 0
    body = json.loads(Event.objects.last().body)
    assert (body["action"], body["details"]) == ("export.made", {"kind": "whole"})


def test_command_leaves_no_half_file(db, tmp_path):
    with pytest.raises(CommandError, match="nothing to export"):
        call_command("audit_export", tmp_path / "trail.zip")
    assert list(tmp_path.iterdir()) == []


def test_command_refuses_a_tampered_export(trail, tmp_path, capsys):
    path = rewritten(made(tmp_path), edit_body)

    with pytest.raises(SystemExit) as caught:
        call_command("audit_verify", path)

    assert caught.value.code == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("NOT VALID: ")


# The verifier's own arithmetic against the library's


@given_settings(deadline=None, max_examples=15)
@given(
    seed=st.binary(min_size=32, max_size=32),
    message=st.binary(max_size=200),
    at=st.integers(0, 511),
)
def test_ed25519_agrees_with_the_library_and_refuses_any_changed_bit(seed, message, at):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    changed = bytearray(signature)
    changed[at // 8] ^= 1 << at % 8

    assert offline.ed25519_verify(public, signature, message)
    assert not offline.ed25519_verify(public, bytes(changed), message)
    assert not offline.ed25519_verify(public, signature, message + b"x")


def test_ed25519_knows_the_rfc_vector_and_refuses_weak_keys_and_second_spellings():
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b"
    )
    assert offline.ed25519_verify(public, signature, b"")
    twice = int.from_bytes(signature[32:], "little") + offline.L
    assert not offline.ed25519_verify(public, signature[:32] + twice.to_bytes(32, "little"), b"")
    # The neutral element as key: without the check S = 0, R = neutral would "sign" everything.
    neutral = (1).to_bytes(32, "little")
    assert not offline.ed25519_verify(neutral, neutral + bytes(32), b"anything")
    assert not offline.ed25519_verify(public[:31], signature, b"")
    assert not offline.ed25519_verify(b"\xff" * 32, signature, b"")


@given(size=st.integers(1, 200), data=st.data())
def test_the_verifiers_tree_agrees_with_ours(size, data):
    hashes = [merkle.leaf_hash(bytes([number])) for number in range(size)]
    tree = offline.Tree()
    for value in hashes:
        tree.push(value)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))

    def subtree(level: int, number: int) -> bytes:
        return merkle.root(hashes[number << level : (number + 1) << level])

    proof = merkle.inclusion_proof(index, size, subtree)
    growth = merkle.consistency_proof(old, size, subtree)
    old_root = merkle.root(hashes[:old])
    assert tree.root() == merkle.root(hashes)
    assert offline.inclusion_holds(hashes[index], index, size, proof, tree.root())
    assert not offline.inclusion_holds(hashes[index], index, size, [*proof, bytes(32)], tree.root())
    assert offline.consistency_holds(old, size, old_root, tree.root(), growth)
    assert not offline.consistency_holds(old, size, old_root, tree.root(), [*growth, bytes(32)])
    assert not offline.inclusion_holds(hashes[0], size, size, proof, tree.root())


def test_the_verifier_needs_nothing_but_an_old_python():
    source = Path(offline.__file__).read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }

    assert imported == {"argparse", "base64", "hashlib", "json", "os", "sys", "zipfile"}
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))
    assert "pairwise" not in source.replace("not itertools.pairwise", ""), "Python 3.10"
    assert "strict=" not in source, "Python 3.10"


def test_the_actor_of_these_events_is_named_only_beside_them(trail, tmp_path):
    with zipfile.ZipFile(made(tmp_path)) as archive:
        assert ADA.label.encode() not in archive.read("events.jsonl")
        assert ADA.label.encode() in archive.read("disclosures.jsonl")
