"""Compiles the catalogs of the notices: each .po becomes the .mo beside it, which is committed.

usage: python deploy/catalogs.py

It reads what our catalogs use of the format: msgid, msgid_plural, msgstr, msgstr[n], comments.
"""

import ast
import struct
from pathlib import Path

LOCALE = Path(__file__).parents[1] / "agent" / "session" / "locale"
_MAGIC = 0x950412DE


def read_po(text: str) -> dict[str, str]:
    """Return what each text is called in the other language; plurals joined as gettext wants."""
    entries: dict[str, str] = {}
    for block in text.split("\n\n"):
        parts = _parts(block)
        if "msgid" in parts:
            plural = parts.get("msgid_plural")
            key = parts["msgid"] if plural is None else f"{parts['msgid']}\0{plural}"
            forms = [value for name, value in sorted(parts.items()) if name.startswith("msgstr")]
            entries[key] = "\0".join(forms)
    return entries


def _parts(block: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if line.startswith("#") or not line:
            continue
        head, quote, rest = line.partition('"')
        name = head.strip() or name
        parts[name] = parts.get(name, "") + str(ast.literal_eval(quote + rest))
    return parts


def to_mo(entries: dict[str, str]) -> bytes:
    """Return the catalog as gettext reads it."""
    pairs = sorted((key.encode(), value.encode()) for key, value in entries.items())
    at = 28 + 16 * len(pairs)
    tables, texts = [b"", b""], b""
    for column in (0, 1):
        for pair in pairs:
            tables[column] += struct.pack("<II", len(pair[column]), at + len(texts))
            texts += pair[column] + b"\0"
    head = struct.pack("<7I", _MAGIC, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return head + b"".join(tables) + texts


def main() -> None:
    """Compile every catalog."""
    for po in sorted(LOCALE.rglob("*.po")):
        po.with_suffix(".mo").write_bytes(to_mo(read_po(po.read_text("utf-8"))))


if __name__ == "__main__":
    main()
