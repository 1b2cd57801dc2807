"""What the values of a profile may be: one small reader a kind of value.

A reader returns the value in the form the profile keeps it, or raises `BadValue` with the
reason; `agent.wire.profile_reader` adds the file, the line and the key.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import urlsplit

MOST_TEXT = 500
MOST_ENTRIES = 100
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_KEY_BYTES = 32
_PEER = re.compile(
    r"(\{[a-z_]+\}|[A-Za-z0-9]([A-Za-z0-9.-]{0,200}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r":(\{[a-z_]+\}|[0-9]{1,5})"
)
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
Reader = Callable[[object], Any]


class BadValue(ValueError):  # noqa: N818 - reads better where it is raised
    """A value is not what its key takes, and why."""


class _Required:
    """Marks a key without a default."""


_REQUIRED = _Required()


@dataclass(frozen=True, slots=True)
class Field:
    """One key: how its value is read, and what it is when it is not given."""

    read: Reader
    default: object = _REQUIRED

    def value(self, given: Mapping[str, Any], key: str) -> object:
        """Return the value of `key` in `given`. Raises `BadValue`."""
        if key in given:
            return self.read(given[key])
        if self.default is _REQUIRED:
            raise BadValue("missing")
        return self.default


def line(value: object) -> str:
    """Read one line of text, without control characters."""
    if not isinstance(value, str):
        raise BadValue("must be a text")
    if not value.isprintable():
        raise BadValue("has control characters")
    if not value.strip() or len(value) > MOST_TEXT:
        raise BadValue(f"must have 1 to {MOST_TEXT} characters")
    return value


def name(value: object) -> str:
    """Read the name of a profile."""
    text = line(value)
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", text):
        raise BadValue("must be small letters, digits and hyphens, at most 60")
    return text


def switch(value: object) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise BadValue("must be true or false")
    return value


def word(kind: type[StrEnum]) -> Reader:
    """Return a reader of one of the words of `kind`."""

    def read(value: object) -> StrEnum:
        known = [member.value for member in kind]
        if value not in known:
            raise BadValue(f"unknown word {value!r}; known are {', '.join(known)}")
        return kind(value)

    return read


def whole(least: int, most: int) -> Reader:
    """Return a reader of a whole number."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise BadValue(f"must be a whole number from {least} to {most}")
        return value

    return read


def seconds(least: float, most: float) -> Reader:
    """Return a reader of a duration: seconds, or a text as "90 s", "4 min", "1 h"."""

    def read(value: object) -> float:
        number = _duration(value)
        if not least <= number <= most:
            raise BadValue(f"{number:g} s is not within {least:g} to {most:g} s")
        return number

    return read


def _duration(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    found = isinstance(value, str) and re.fullmatch(r"(\d+(?:\.\d+)?) ?(s|min|h)", value)
    if not found:
        raise BadValue('must be seconds, or a text as "90 s", "4 min", "1 h"')
    return float(found[1]) * _UNITS[found[2]]


def several(entry: Reader) -> Reader:
    """Return a reader of a list, each entry read by `entry`."""

    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > MOST_ENTRIES:
            raise BadValue(f"must be a list of at most {MOST_ENTRIES} texts")
        return tuple(entry(item) for item in value)

    return read


def some(entry: Reader) -> Reader:
    """Return a reader of a list that is not empty."""

    def read(value: object) -> tuple[Any, ...]:
        entries: tuple[Any, ...] = several(entry)(value)
        if not entries:
            raise BadValue("must not be empty")
        return entries

    return read


def table(fields: Mapping[str, Field]) -> Reader:
    """Return a reader of a small table with these keys and no others."""

    def read(value: object) -> dict[str, object]:
        if not isinstance(value, dict):
            raise BadValue(f"must be a table of {', '.join(fields)}")
        for key in value:
            if key not in fields:
                raise BadValue(f"{key}: unknown key; known are {', '.join(fields)}")
        return {key: _named(key, field, value) for key, field in fields.items()}

    return read


def _named(key: str, field: Field, value: Mapping[str, Any]) -> object:
    try:
        return field.value(value, key)
    except BadValue as error:
        raise BadValue(f"{key}: {error}") from None


def pattern(value: object) -> str:
    """Read a regular expression; its first group is what is wanted."""
    text = line(value)
    try:
        compiled = re.compile(text, re.MULTILINE)
    except re.error as error:
        raise BadValue(f"not a regular expression: {error}") from None
    if compiled.groups < 1:
        raise BadValue("needs a group (...) around what is to be read")
    return text


def folder(value: object) -> str:
    """Read an absolute folder of Windows or POSIX, not the root of a disk."""
    text = line(value)
    path = next((p for p in (PureWindowsPath(text), PurePosixPath(text)) if p.is_absolute()), None)
    if path is None:
        raise BadValue(f"{text!r} must be an absolute folder")
    if ".." in path.parts or len(path.parts) < 2:
        raise BadValue(f"{text!r} must not have .. in it, nor be the root of a disk")
    return text


def relative(value: object) -> str:
    """Read a path, name or glob pattern below the app's folder, with / between its parts."""
    text = line(value)
    if "\\" in text or ":" in text or text.startswith("/"):
        raise BadValue(f"{text!r} must be below the app's folder, with / between its parts")
    if any(part in {"", ".", ".."} for part in text.removesuffix("/").split("/")):
        raise BadValue(f"{text!r} must not have .. or empty parts in it")
    return text


def plain_name(value: object) -> str:
    """Read the name of one file or folder right in the app's folder, no pattern."""
    text = relative(value)
    if "/" in text or any(mark in text for mark in "*?["):
        raise BadValue(f"{text!r} must be one name right in the app's folder, without / or *")
    return text


def data_folder(value: object) -> str:
    """Read where data is: an absolute folder, or a name right in the app's folder."""
    text = line(value)
    is_absolute = PureWindowsPath(text).is_absolute() or PurePosixPath(text).is_absolute()
    return folder(text) if is_absolute else plain_name(text)


def package(value: object) -> str:
    """Read the name of a Debian package (Debian policy 5.6.1)."""
    text = line(value)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{1,99}", text):
        raise BadValue(f"{text!r} is not the name of a package")
    return text


def program(value: object) -> str:
    """Read a program: below the app's folder, "./name" right in it, or "name" wherever it is."""
    text = line(value)
    relative(text.removeprefix("./"))
    return text


def command(value: object) -> tuple[str, ...]:
    """Read a program below the app's folder and its arguments."""
    parts: tuple[str, ...] = several(line)(value)
    if parts:
        relative(parts[0])
    return parts


def unit(value: object) -> str:
    """Read the name of a service of the system."""
    text = line(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9:_.@ -]{0,199}", text):
        raise BadValue(f"{text!r} is not the name of a service")
    return text


def port(value: object) -> str:
    """Read a port: a number, or {name} of a value the host gives."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65_535:
        return str(value)
    if isinstance(value, str) and re.fullmatch(r"\{[a-z_]+\}", value):
        return value
    raise BadValue("must be a number from 1 to 65535, or {name} of a host's value")


def address(value: object) -> str:
    """Read a URL of this very host; {name} stands for a value the host gives."""
    text = line(value)
    shown = urlsplit(re.sub(r"\{[a-z_]+\}", "1", text))
    if shown.scheme not in {"http", "https"} or shown.hostname not in _LOOPBACK:
        raise BadValue(f"{text!r} must be http(s)://127.0.0.1, localhost or [::1]")
    return text


def peer(value: object) -> str:
    """Read a name or address and a port, as "host:443"; {name}s stand for a host's values."""
    text = line(value)
    found = _PEER.fullmatch(text)
    if not found or (found[3].isdecimal() and not 1 <= int(found[3]) <= 65_535):
        raise BadValue(f'{text!r} must be a name or address and a port, as "example.org:443"')
    return text


def public_key(value: object) -> str:
    """Read a public key: the 32 bytes of an Ed25519 key, in base64."""
    text = line(value)
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise BadValue("must be an Ed25519 public key: 32 bytes in base64")
    return text
