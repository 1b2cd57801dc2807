"""The recovery sheet of a signing key: printed, kept in a safe, typed in again years later.

The key stands on it as it is in its file, encrypted, in lines of letters that are not easily
taken for one another, each with a checksum of its own: a slip of the typist is found in its line.
The passphrase is never on it. Pure but for the template of the page.
"""

import base64
import binascii
import datetime as dt
import html
import re
import textwrap
from dataclasses import dataclass
from hashlib import sha256

from coordinator.releases.roots import short

_LINE_BYTES = 20
_PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CLEAR = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U
_TO_CLEAR, _TO_PLAIN = str.maketrans(_PLAIN, _CLEAR), str.maketrans(_CLEAR, _PLAIN)
_TYPED_FOR = str.maketrans("OIL", "011")
_LINE = re.compile(
    r"^\s*(\d{1,3})\s*[:.]?\s+([0-9A-Z][0-9A-Z \-]*?)\s*=\s*([0-9A-Z]{4})\s*$", re.I
)
_WHOLE = re.compile(r"^\s*whole\s*=\s*([0-9A-Z]{8})\s*$", re.I)
_MOST_LINES = 60
_BEGIN, _END = "-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----END ENCRYPTED PRIVATE KEY-----"


class BadSheet(ValueError):  # noqa: N818 - reads better where it is caught
    """A sheet cannot be read; the text names the line and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a sheet says."""

    what: str  # "key 1 of 3, of which it takes 2"
    fingerprint: str
    where: str  # where the key was put
    made: dt.datetime
    pem: bytes


def as_text(sheet: Sheet) -> str:
    """Return the sheet as plain text, to be printed."""
    facts = (
        ("what it is", f"a signing key of Roundsman: {sheet.what}"),
        ("fingerprint", short(sheet.fingerprint)),
        ("in full", sheet.fingerprint),
        ("put into", sheet.where),
        ("made on", f"{sheet.made:%d %B %Y}"),
    )
    return "\n".join(
        [
            "ROUNDSMAN RECOVERY SHEET",
            "",
            *(f"{name + ':':<13} {fact}" for name, fact in facts),
            "",
            *_wrapped(_ABOUT),
            "",
            "HOW TO USE IT, ALSO IN FIVE YEARS",
            "",
            *(line for number, text in enumerate(_STEPS, 1) for line in _step(number, text)),
            "",
            "THE KEY, ENCRYPTED",
            "",
            *key_lines(sheet.pem),
            "",
        ]
    )


_ABOUT = (
    "Who has this key and its passphrase can say, together with as many others as are needed, "
    "what the workstations of the fleet install. The passphrase is not on this sheet and must "
    "not be written on it. Keep the sheet where the key itself is not."
)
_STEPS = (
    "Type the numbered lines below, and the line that begins with WHOLE, into a text file; or "
    "take the file of this sheet. Capitals and spaces do not matter.",
    "roundsman keys recover FILE --into FOLDER (the stick or folder that is to hold the key). "
    "It asks for the passphrase, finds slips in the line where they are, and proves the key.",
    "roundsman keys list shows whether the key is still one of those that may sign; "
    "roundsman release sign --key FOLDER signs with it.",
    "Without Roundsman: the lines are base32 in Crockford's alphabet, of the DER bytes of an "
    "encrypted PKCS 8 private key (Ed25519), which openssl pkey -inform DER opens.",
)


def _step(number: int, text: str) -> list[str]:
    return textwrap.wrap(text, 92, initial_indent=f"{number}. ", subsequent_indent="   ")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 92)


def as_page(sheet: Sheet) -> str:
    """Return the sheet as a page to print; the same text, in letters of one width."""
    return _PAGE.format(title=html.escape(sheet.what), text=html.escape(as_text(sheet)))


_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Roundsman recovery sheet: {title}</title>
<style>@page {{ margin: 2cm }} pre {{ font: 11pt/1.5 "DejaVu Sans Mono", monospace; white-space: pre-wrap }}</style>
</head>
<body>
<pre>
{text}</pre>
</body>
</html>
"""  # noqa: E501 - a page


def key_lines(pem: bytes) -> list[str]:
    """Return a key's file in numbered lines, each with its checksum, and that of the whole."""
    der = _der(pem)
    parts = [der[at : at + _LINE_BYTES] for at in range(0, len(der), _LINE_BYTES)]
    lines = [
        f"{number:>3}  {_grouped(part)} = {_sum(number, part)}"
        for number, part in _numbered(parts)
    ]
    return [*lines, f"WHOLE = {_whole(der)}"]


def _numbered(parts: list[bytes]) -> list[tuple[int, bytes]]:
    return list(enumerate(parts, 1))


def read_key(text: str) -> bytes:
    """Return the key's file that a sheet holds, as it was. Raises `BadSheet`."""
    found: dict[int, bytes] = {}
    for match in filter(None, map(_LINE.match, text.splitlines())):
        number = int(match[1])
        if number in found or number > _MOST_LINES:
            raise BadSheet(
                f"cannot read the sheet: there are two lines {number}, or it is no line"
            )
        found[number] = _part(number, match[2], match[3])
    der = _complete(found)
    wholes = [match[1] for match in map(_WHOLE.match, text.splitlines()) if match]
    if [_clear(whole) for whole in wholes] != [_whole(der)]:
        raise BadSheet(
            "cannot read the sheet: the line WHOLE does not fit the lines above it; compare it, "
            "and look whether the last lines are all there"
        )
    return _pem(der)


def _part(number: int, typed: str, checksum: str) -> bytes:
    letters = _clear(typed)
    try:
        part = base64.b32decode(_padded(letters.translate(_TO_PLAIN)))
    except binascii.Error:
        part = b""
    if not part or _sum(number, part) != _clear(checksum):
        raise BadSheet(
            f"cannot read line {number} of the sheet: it does not fit its checksum; "
            "compare it letter by letter"
        )
    return part


def _complete(found: dict[int, bytes]) -> bytes:
    if not found:
        raise BadSheet("cannot read the sheet: there are no lines of a key in it")
    if missing := [number for number in range(1, max(found)) if number not in found]:
        raise BadSheet(f"cannot read the sheet: line {missing[0]} is missing")
    return b"".join(found[number] for number in sorted(found))


def _clear(typed: str) -> str:
    """Return what was typed in the letters that were printed."""
    return re.sub(r"[\s-]", "", typed).upper().translate(_TYPED_FOR)


def _grouped(part: bytes) -> str:
    letters = _letters(part)
    return " ".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def _letters(part: bytes) -> str:
    return base64.b32encode(part).decode().rstrip("=").translate(_TO_CLEAR)


def _padded(letters: str) -> str:
    return letters + "=" * (-len(letters) % 8)


def _sum(number: int, part: bytes) -> str:
    return _letters(sha256(bytes([number]) + part).digest())[:4]


def _whole(der: bytes) -> str:
    return _letters(sha256(der).digest())[:8]


def _der(pem: bytes) -> bytes:
    lines = pem.decode("ascii").strip().splitlines()
    if lines[:1] != [_BEGIN] or lines[-1:] != [_END]:
        raise BadSheet("cannot print this key: it is no encrypted signing key")
    return base64.b64decode("".join(lines[1:-1]))


def _pem(der: bytes) -> bytes:
    return "\n".join(
        [_BEGIN, *textwrap.wrap(base64.b64encode(der).decode(), 64), _END, ""]
    ).encode()
