"""Text that others' registries took for a path, an archive's member, a formula or a header.

Classes 1 to 3, 9 and 15 of the attacks that were found in products like this one; each line is a
spelling that got past somebody's check.
"""

from __future__ import annotations

from itertools import product
from urllib.parse import quote

CANARY = "etc/passwd"
_UP = ("../", "..\\", "..//", "....//", "..;/", "%2e%2e/", "%252e%252e%252f", "..%2f", "..%5c")
_HEADS = ("", "/", "//", "\\\\", "file://", "file:///", "local:", "s3://bucket/")
_TAILS = ("", "#", "?x=1", ";", "%00", ".json")

#: Reading and writing outside the storage (1, 2): schemes, fragments, backslashes, double decoding.
PATHS = tuple(
    dict.fromkeys(
        [f"{head}{up * 6}{CANARY}{tail}" for head, up, tail in product(_HEADS[:3], _UP, _TAILS[:4])]
        + [f"{head}{CANARY}{tail}" for head, tail in product(_HEADS, _TAILS)]
        + [
            "//proc/self/root/etc/passwd",
            "/proc/self/environ",
            "/proc/self/fd/3",
            "/dev/stdin",
            "file:etc/passwd",
            "FILE:///etc/passwd",
            "file://localhost/etc/passwd",
            "file://127.0.0.1/etc/passwd",
            "mlflow-artifacts:/../../etc/passwd",
            "mlflow-artifacts://host/../../etc/passwd",
            "models:/../../etc/passwd/1",
            "models:/m-../../../etc/passwd",
            "runs:/../../etc/passwd/model",
            "dbfs:/../etc/passwd",
            "http:///#/../../etc/passwd",
            "s3:///etc/passwd#/../",
            "C:\\Windows\\win.ini",
            "\\\\?\\C:\\Windows\\win.ini",
            "~root/.ssh/id_rsa",
            "$HOME/.ssh/id_rsa",
            "`cat /etc/passwd`",
            "|cat /etc/passwd",
            quote(quote("../../../etc/passwd", safe=""), safe=""),
            "sha256/../../etc/passwd",
            "etc/passwd\x00.json",
            "..",
            ".",
            "/",
            "．．／．．／etc／passwd",
            "..\u2215..\u2215etc\u2215passwd",
        ]
    )
)

#: Members of archives and side files (3), as somebody would name an artifact.
MEMBERS = (
    "model.zip/../../../etc/passwd",
    "model.tar/etc/passwd",
    "../../../../tmp/evil.onnx.data",
    "weights.bin -> /etc/passwd",
    "data:application/zip;base64,UEsDBA==",
)

#: Spreadsheet formulas, header lines, log lines (15).
LINES = (
    "=cmd|'/c calc'!A1",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "name\r\nBcc: victim@example.org",
    "name\nSubject: other",
    "name\r\n\r\n<script>alert(1)</script>",
    "name\u2028Bcc: victim@example.org",
    "{{7*7}}${7*7}<%= 7*7 %>",
    '"><script>alert(1)</script>',
    "%s%s%s%n",
    "\x1b[2J\x1b]0;title\x07",
    "\u202egnp.exe",
)

EVERYTHING = PATHS + MEMBERS + LINES
