#!/usr/bin/env python3
"""Verify an export of the Countersign audit trail, with Python's standard library and nothing else.

    python3 -I -S verify.py EXPORT.zip [--key sha256:...] [--checkpoint FILE]
    python3 -I -S verify.py [--key sha256:...]        in the folder where the zip was unpacked

It trusts nothing but its own text. What it cannot know by itself is whose key signed: take the
key's fingerprint from somewhere else than this zip (the site's audit page, a printed report, a
colleague) and give it with --key. A checkpoint that you kept earlier, given with --checkpoint,
shows that nothing was cut off or rewritten since. Exit status: 0 when everything holds, 1 when not.
"""

import argparse
import base64
import hashlib
import json
import os
import sys
import zipfile

MAX_LINE = 4 * 1024 * 1024
MAX_SMALL_FILE = 64 * 1024 * 1024
MAX_SHOWN = 20
FORMAT = 1


class Bad(Exception):
    """The export cannot even be read."""


# Ed25519 (RFC 8032, section 5.1.7), written for clarity; it only verifies, so timing says nothing.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def _add(a, b):
    """Sum of two points in extended coordinates (X, Y, Z, T)."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    i, j, k, m = f - e, h - g, h + g, f + e
    return (i * j % P, k * m % P, j * k % P, i * m % P)


def _multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _equal(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def _point(raw):
    """The point in 32 bytes, or None when they hold none."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_verify(public_key, signature, message):
    """Whether this is the key's signature over the message."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    a, r = _point(public_key), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L or _equal(_multiply(8, a), (0, 1, 1, 0)):
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % L
    return _equal(_multiply(s, BASE), _add(r, _multiply(h, a)))


# The Merkle tree (RFC 6962)


def leaf_hash(body):
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that can grow and give its root: one hash per complete subtree."""

    def __init__(self):
        self.size, self.hashes = 0, []

    def push(self, value):
        index = self.size
        while index & 1:
            value = node_hash(self.hashes.pop(), value)
            index >>= 1
        self.hashes.append(value)
        self.size += 1

    def root(self):
        if not self.hashes:
            return hashlib.sha256(b"").digest()
        value = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            value = node_hash(left, value)
        return value


def inclusion_holds(leaf, index, size, proof, root):
    """Whether the proof leads from leaf number ``index`` to the root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            value = node_hash(sibling, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and value == root


def consistency_holds(old_size, size, old_root, root, proof):
    """Whether the old tree is the beginning of the new one (RFC 9162, 2.1.4.2)."""
    if old_size == size:
        return not proof and old_root == root
    if not 0 < old_size < size:
        return False
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == old_root and new == root


# Signed checkpoints (C2SP signed-note and tlog-checkpoint)


class Checkpoint:
    """What one note says, and who says so."""

    def __init__(self, note):
        text, separator, rest = note.partition("\n\n")
        lines = text.split("\n")
        if (
            not separator
            or len(lines) < 3
            or not lines[0]
            or not lines[1].isascii()
            or not lines[1].isdigit()
        ):
            raise Bad("a checkpoint is not a signed note")
        self.note, self.message = note, (text + "\n").encode()
        self.origin, self.size = lines[0], int(lines[1])
        self.signatures = []
        try:
            self.root = base64.b64decode(lines[2], validate=True)
            for line in rest.splitlines():
                name, _, blob = line.rpartition(" ")
                raw = base64.b64decode(blob, validate=True)
                self.signatures.append((name, raw[:4], raw[4:]))
        except ValueError:
            raise Bad("a checkpoint is not a signed note") from None
        if len(self.root) != 32:
            raise Bad("a checkpoint's root is not a SHA-256 hash")

    def is_signed_by(self, public_key):
        wanted = hashlib.sha256(self.origin.encode() + b"\n\x01" + public_key).digest()[:4]
        name = "\N{EM DASH} " + self.origin
        return any(
            n == name and i == wanted and ed25519_verify(public_key, s, self.message)
            for n, i, s in self.signatures
        )


def fingerprint(public_key):
    return "sha256:" + hashlib.sha256(public_key).hexdigest()


# The export


class Result:
    """What was found; ``problems`` is empty when everything holds."""

    def __init__(self):
        self.problems, self.notes = [], []
        self.events = self.size = self.checkpoints = self.values = 0
        self.origin = self.workspace = ""
        self.keys = []
        self.key_was_given = False

    def problem(self, text):
        if len(self.problems) < MAX_SHOWN:
            self.problems.append(text)
        elif len(self.problems) == MAX_SHOWN:
            self.problems.append(f"... and more; only the first {MAX_SHOWN} are shown")

    @property
    def ok(self):
        return not self.problems

    def sentence(self):
        if not self.ok:
            return "NOT VALID: " + self.problems[0]
        what = (
            f"each of {self.events} events of workspace {self.workspace} "
            f"is in the trail of {self.size}"
            if self.workspace
            else f"all {self.events} events are the signed trail"
        )
        by = (
            "the key you named signed it"
            if self.key_was_given
            else "but no outside key fingerprint was given, so this says only that the export "
            "agrees with itself"
        )
        return f"VALID: {what}; {by}."


def check(path, key=None, checkpoint=None):
    """Verify the export at ``path``.

    path: the zip, or the folder where it was unpacked.
    key: fingerprint from outside, ``sha256:`` and hexadecimal digits, or None.
    checkpoint: text of a signed checkpoint from outside, or None.
    """
    result = Result()
    try:
        if os.path.isdir(path):  # noqa: PTH112
            _check_archive(Folder(path), result, key, checkpoint)
        else:
            with zipfile.ZipFile(path) as archive:
                _check_archive(archive, result, key, checkpoint)
    except Bad as error:
        result.problem(str(error))
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        result.problem(f"the export cannot be read: {error}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        result.problem(f"the export is malformed: {type(error).__name__}: {error}")
    except Exception as error:  # zlib.error is no subclass of anything above
        if type(error).__name__ != "error":
            raise
        result.problem(f"the export cannot be read: {error}")
    return result


class Folder:
    """An unpacked export, read as if it were the zip."""

    def __init__(self, path):
        self.path = path

    def namelist(self):
        return os.listdir(self.path)  # noqa: PTH208

    def open(self, name):
        return open(os.path.join(self.path, name), "rb")  # noqa: PTH118, PTH123


def _check_archive(archive, result, key, outside):
    names = archive.namelist()
    if len(names) != len(set(names)):
        raise Bad("the zip holds two files of the same name")
    about = _json(archive, "about.json")
    if about.get("format") != FORMAT:
        raise Bad("format {!r} is not known to this verifier".format(about.get("format")))
    result.workspace = about["workspace"] or ""
    keys = [
        base64.b64decode(item["public_key"], validate=True) for item in _json(archive, "keys.json")
    ]
    result.keys = [fingerprint(item) for item in keys]
    trusted = _trusted(keys, key, result)
    checkpoints = _checkpoints(archive, trusted, result)
    if not checkpoints:
        return
    last = checkpoints[-1]
    result.origin, result.size, result.checkpoints = last.origin, last.size, len(checkpoints)
    kept = _outside(outside, trusted, last, result) if outside else None
    commitments: dict = {}
    if result.workspace:
        _check_part(archive, checkpoints, kept, commitments, result)
    else:
        _check_whole(archive, checkpoints, kept, commitments, result)
    _check_values(archive, commitments, result)


def _trusted(keys, key, result):
    if key is None:
        return keys
    result.key_was_given = True
    wanted = key.strip().lower()
    wanted = wanted if wanted.startswith("sha256:") else "sha256:" + wanted
    found = [item for item in keys if fingerprint(item) == wanted]
    if not found:
        raise Bad(
            "the key you named is not among this export's keys: {}".format(", ".join(result.keys))
        )
    return found


def _checkpoints(archive, trusted, result):
    checkpoints = [Checkpoint(text) for text in _json(archive, "checkpoints.json")]
    if not checkpoints:
        raise Bad("the export holds no signed checkpoint")
    # zip, not itertools.pairwise: an auditor's Python may be old.
    for before, after in zip(checkpoints, checkpoints[1:]):  # noqa: B905, RUF007
        if after.size <= before.size or after.origin != before.origin:
            raise Bad("the checkpoints are not one growing log")
    unsigned = [item for item in checkpoints if not any(item.is_signed_by(key) for key in trusted)]
    for item in unsigned:
        result.problem(f"the checkpoint of {item.size} events carries no valid signature")
    return checkpoints


def _outside(text, trusted, last, result):
    kept = Checkpoint(text)
    if kept.origin != last.origin:
        result.problem(f"your checkpoint is of another log, {kept.origin}")
        return None
    if not any(kept.is_signed_by(key) for key in trusted):
        result.problem("your checkpoint is not signed by this log's key")
        return None
    if kept.size > last.size:
        result.problem(f"your checkpoint covers {kept.size} events, this log has {last.size}")
        return None
    return kept


def _check_whole(archive, checkpoints, kept, commitments, result):
    """Rebuild the tree from the bodies and compare its root at every checkpoint."""
    roots: dict = {}
    for item in [*checkpoints, *([kept] if kept else [])]:
        roots.setdefault(item.size, []).append(item)
    tree = Tree()
    for item in _lines(archive, "events.jsonl"):
        if item["i"] != tree.size:
            result.problem(
                f"event {tree.size} is missing: number {item['i']!r} stands in its place"
            )
            return
        body = item["body"].encode()
        _remember(item["i"], body, commitments)
        tree.push(leaf_hash(body))
        result.events += 1
        for signed in roots.pop(tree.size, []):
            if tree.root() == signed.root:
                continue
            whose = "your checkpoint" if signed is kept else "the signed checkpoint"
            result.problem(f"events up to {tree.size - 1} do not have the root of {whose}")
    if result.events != checkpoints[-1].size:
        result.problem(f"{checkpoints[-1].size} events are signed for, {result.events} are here")


def _check_part(archive, checkpoints, kept, commitments, result):
    """Follow every event's proof to the last root, and the last root back to the first."""
    first, last = checkpoints[0], checkpoints[-1]
    proofs = _lines(archive, "proofs.jsonl")
    before = -1
    for item in _lines(archive, "events.jsonl"):
        index, body = item["i"], item["body"].encode()
        proof = next(proofs, None)
        if proof is None or proof["i"] != index or index <= before:
            result.problem(f"the proofs do not belong to the events, from event {index!r} on")
            return
        before = index
        path = [base64.b64decode(text, validate=True) for text in proof["inclusion"]]
        _remember(index, body, commitments)
        if json.loads(body)["workspace"] != result.workspace:
            result.problem(f"event {index} is not of workspace {result.workspace}")
        if not inclusion_holds(leaf_hash(body), index, last.size, path, last.root):
            result.problem(f"event {index} is not in the signed trail as it stands here")
        result.events += 1
    if next(proofs, None) is not None:
        result.problem("there are proofs without their events")
    growth = [base64.b64decode(text, validate=True) for text in _json(archive, "consistency.json")]
    if not consistency_holds(first.size, last.size, first.root, last.root, growth):
        result.problem("the last checkpoint does not continue the first")
    if kept is not None:
        same = [item for item in checkpoints if item.size == kept.size]
        if not same:
            result.problem(
                "a partial export cannot be compared with your checkpoint; ask for a whole one"
            )
        elif same[0].root != kept.root:
            result.problem("the log does not have the root of your checkpoint")
    result.notes.append("A partial export proves what it holds, not that nothing was left out.")


def _remember(index, body, commitments):
    held = json.loads(body)["pii"]
    if held:
        commitments[index] = held


def _check_values(archive, commitments, result):
    """Names and texts must fit their commitments in the signed bodies; erased ones are absent."""
    total = sum(len(fields) for fields in commitments.values())
    for item in _lines(archive, "disclosures.jsonl"):
        digest = hashlib.sha256(bytes.fromhex(item["salt"]) + item["value"].encode()).hexdigest()
        if commitments.get(item["i"], {}).get(item["field"]) != "sha256:" + digest:
            result.problem(
                "the {} of event {!r} is not what was recorded".format(item["field"], item["i"])
            )
        result.values += 1
    if result.values < total:
        result.notes.append(
            f"{total - result.values} personal values are erased or withheld; the tree is intact."
        )


def _json(archive, name):
    with archive.open(name) as file:
        data = file.read(MAX_SMALL_FILE + 1)
    if len(data) > MAX_SMALL_FILE:
        raise Bad(f"{name} is too large")
    return json.loads(data)


def _lines(archive, name):
    with archive.open(name) as file:
        while True:
            line = file.readline(MAX_LINE + 1)
            if not line:
                return
            if len(line) > MAX_LINE or not line.endswith(b"\n"):
                raise Bad(f"{name} holds a line that is too long or cut off")
            yield json.loads(line)


def report(result):
    """What a person reads."""
    lines = []
    if result.origin:
        lines.append(f"log         {result.origin}")
        lines.append(
            f"events      {result.events} of {result.size}, {result.checkpoints} signed checkpoints"
        )
        lines.append(f"values      {result.values} names and texts fit their commitments")
        lines += [f"key         {item}" for item in result.keys]
    lines += [f"note        {item}" for item in result.notes]
    lines += [f"problem     {item}" for item in result.problems]
    lines.append(result.sentence())
    return "\n".join(lines)


def main(arguments=None):
    if sys.version_info < (3, 8):  # noqa: UP036 - an auditor's, not ours
        sys.stderr.write("This verifier needs Python 3.8 or newer.\n")
        return 1
    parser = argparse.ArgumentParser(description="Verify an export of the Countersign audit trail.")
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    parser.add_argument(
        "export", nargs="?", default=here, help="the zip, or the folder where it was unpacked"
    )
    parser.add_argument("--key", help="fingerprint of the signing key, from outside this zip")
    parser.add_argument("--checkpoint", help="file with a signed checkpoint that you kept")
    options = parser.parse_args(arguments)
    kept = None
    if options.checkpoint:
        with open(options.checkpoint, encoding="utf-8") as file:  # noqa: PTH123
            kept = file.read()
    result = check(options.export, key=options.key, checkpoint=kept)
    sys.stdout.write(report(result) + "\n")
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main())
