"""What is encrypted on this host's disk: AES-256-GCM, a mebibyte at a time, in their order.

Each file is sealed with a key of its own, made from the backup's data key, a salt drawn anew for
every writing and the file's name in the backup. So no nonce is ever used twice, and a file that
was altered, cut short, put together anew or swapped with another is not opened. The agent's one
use of a cipher; whoever has lost `backup.key` has lost what was sealed with it.
"""

import io
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agent.wire.atomic import write_whole

CHUNK = 2**20
"""Bytes of content that are sealed at a time."""
_MAGIC = b"RMS1"
_SALT = 32
_TAG = 16
_KEY = 32
_MAKING = threading.Lock()  # two lanes may need the key for the first time at once


class NotOpened(ValueError):  # noqa: N818 - reads better where it is raised
    """Sealed content is damaged, is not what belongs there, or was sealed with another key."""


def new_key() -> bytes:
    """Return a fresh data key."""
    return secrets.token_bytes(_KEY)


def host_key(path: Path) -> bytes:
    """Return this host's key, made at `path` first when it is absent; on the disk by then.

    Raises `NotOpened` when what is there is no key: it is never replaced.
    """
    with _MAKING:
        if not path.exists():
            write_whole(path, new_key().hex().encode() + b"\n")
        return known_host_key(path)


def known_host_key(path: Path) -> bytes:
    """Return this host's key. Raises `NotOpened` when there is none."""
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError:
        raise NotOpened(f'the key "{path}" is not there') from None
    except ValueError:
        key = b""
    if len(key) != _KEY:
        raise NotOpened(f'"{path}" is no key')
    return key


def sealed_size(size: int) -> int:
    """Return how many bytes content of `size` bytes takes when sealed."""
    pieces = max(1, -(-size // CHUNK))
    return len(_MAGIC) + _SALT + size + pieces * _TAG


def seal_file(key: bytes, name: str, content: BinaryIO, into: BinaryIO) -> None:
    """Write `content` to `into`, sealed for the name it has in the backup."""
    salt = secrets.token_bytes(_SALT)
    cipher = _cipher(key, salt, name)
    into.write(_MAGIC + salt)
    for number, (piece, is_last) in enumerate(_pieces(content, CHUNK)):
        into.write(cipher.encrypt(_nonce(number, is_last=is_last), piece, None))


def open_file(key: bytes, name: str, sealed: BinaryIO) -> Iterator[bytes]:
    """Yield the content, `CHUNK` bytes at a time. Raises `NotOpened`, before any wrong byte."""
    head = sealed.read(len(_MAGIC) + _SALT)
    if len(head) != len(_MAGIC) + _SALT or not head.startswith(_MAGIC):
        raise NotOpened("it is not sealed content")
    cipher = _cipher(key, head[len(_MAGIC) :], name)
    for number, (piece, is_last) in enumerate(_pieces(sealed, CHUNK + _TAG)):
        try:
            yield cipher.decrypt(_nonce(number, is_last=is_last), piece, None)
        except (InvalidTag, ValueError):
            raise NotOpened("its content is not what was sealed") from None


def seal(key: bytes, name: str, content: bytes) -> bytes:
    """Return `content` sealed."""
    into = io.BytesIO()
    seal_file(key, name, io.BytesIO(content), into)
    return into.getvalue()


def open_sealed(key: bytes, name: str, sealed: bytes) -> bytes:
    """Return what was sealed. Raises `NotOpened`."""
    return b"".join(open_file(key, name, io.BytesIO(sealed)))


def _cipher(key: bytes, salt: bytes, name: str) -> AESGCM:
    about = b"roundsman backup\0" + name.encode()
    return AESGCM(HKDF(hashes.SHA256(), _KEY, salt, about).derive(key))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if is_last else b"\0")


def _pieces(file: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """Yield the file a piece at a time, each with whether it is the last."""
    piece = file.read(size)
    while following := file.read(size):
        yield piece, False
        piece = following
    yield piece, True
