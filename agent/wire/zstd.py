"""Blobs and patches: zstd frames, made on the coordinator, opened on agents. zstandard's home.

A blob is one file, compressed. A patch is one, too, with an earlier file as the raw dictionary
it is read beside: what both have is not sent. Whoever opens one says how large its content must
be; a frame that says otherwise, or wants more memory than that, is refused unopened.
"""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from zstandard import (
    DICT_TYPE_RAWCONTENT,
    FrameParameters,
    ZstdCompressionDict,
    ZstdCompressionParameters,
    ZstdCompressor,
    ZstdDecompressor,
    ZstdError,
    get_frame_parameters,
)

from agent.wire.parts import MOST_PATCHED

_BLOB_LEVEL = 3
_PATCH_LEVEL = 9
_HEADER = 18  # the longest header of a frame, in bytes
_LEAST_LOG, _MOST_LOG = 10, 24
_READ = 128 * 1024
_MOST_WINDOW = 8 * 2**20
"""What a blob may ask for to be opened; level 3 asks for 2 MiB, a small file for its own size."""
_MOST_PATCH_WINDOW = 2 * MOST_PATCHED


Content = bytes | mmap.mmap


class BadFrame(ValueError):  # noqa: N818 - reads better where it is raised
    """This is not a frame of the content that was named."""


def compress(source: Path, target: Path) -> None:
    """Write the content of a file as a blob where nothing is."""
    with source.open("rb") as plain, target.open("xb") as blob:
        size = os.fstat(plain.fileno()).st_size
        ZstdCompressor(level=_BLOB_LEVEL).copy_stream(plain, blob, size=size, read_size=_READ)


def make_patch(base: bytes, new: bytes) -> bytes:
    """Return the frame that gives `new` where `base` is.

    Every place of the base is in the table that is searched, so that what was only moved, by
    whatever is put in before it, is found; zstd's long-distance matching does not look there.
    """
    log = min(max(_LEAST_LOG, len(base).bit_length()), _MOST_LOG)
    window = max(_LEAST_LOG, (len(base) + len(new)).bit_length())
    parameters = ZstdCompressionParameters.from_level(
        _PATCH_LEVEL,
        source_size=len(new),
        dict_size=len(base),
        window_log=window,
        hash_log=log,
        chain_log=log,
    )
    return ZstdCompressor(dict_data=_dictionary(base), compression_params=parameters).compress(new)


class Opened:
    """The content of a frame, read piece by piece; `read` raises `BadFrame`."""

    def __init__(self, frame: BinaryIO, size: int, base: Content = b"") -> None:
        """Open the frame of a content of `size` bytes, a patch's with its base.

        Raises `BadFrame` when it is none, of another size or too greedy.
        """
        most = _MOST_PATCH_WINDOW if base else _MOST_WINDOW
        with _legible():
            _check(get_frame_parameters(frame.read(_HEADER)), size, most)
        frame.seek(0)
        dictionary = _dictionary(base) if base else None
        opener = ZstdDecompressor(dict_data=dictionary, max_window_size=most)
        self._content = opener.stream_reader(frame, read_size=_READ, closefd=False)

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size`; none at the end. Raises `BadFrame`."""
        with _legible():
            return self._content.read(size)


def _dictionary(base: Content) -> ZstdCompressionDict:
    """Return a copy of the base to read beside."""
    with memoryview(base) as view:
        return ZstdCompressionDict(view, dict_type=DICT_TYPE_RAWCONTENT)


def _check(header: FrameParameters, size: int, most: int) -> None:
    if header.content_size != size:
        raise BadFrame(f"it is of {header.content_size} bytes, not of {size}")
    if header.window_size > most:
        raise BadFrame(f"it asks for {header.window_size} bytes of memory")


@contextmanager
def _legible() -> Iterator[None]:
    try:
        yield
    except ZstdError as error:
        raise BadFrame(f"it is no sound zstd frame: {error}") from None
