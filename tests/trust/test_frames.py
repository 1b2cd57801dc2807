"""Blobs and patches as frames: nothing but their own content ever comes out of one."""

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from agent.extract import write_entry
from agent.package_paths import BadPackage
from agent.wire import zstd
from agent.wire.manifest import FileEntry
from agent.wire.parts import MOST_PATCHED
from tests.trust.workstation import changed, noise

BASE = b"".join(f"line {n} of a file as it was\n".encode() for n in range(120))
NEW = changed(BASE)
_MOST_GROWN = 16 * 1024  # KB


def _blob(content: bytes, tmp_path: Path) -> bytes:
    (tmp_path / "plain").write_bytes(content)
    zstd.compress(tmp_path / "plain", tmp_path / "blob")
    return (tmp_path / "blob").read_bytes()


def _is_taken(frame: bytes, base: bytes, into: Path) -> bool:
    """Open a frame as an agent does; True when it was taken for the content that was signed."""
    entry = FileEntry("file", 0o644, len(NEW), hashlib.sha256(NEW).hexdigest())
    (into / "file").unlink(missing_ok=True)
    try:
        write_entry(zstd.Opened(io.BytesIO(frame), len(NEW), base), entry, into)
    except (zstd.BadFrame, BadPackage):
        return False
    assert (into / "file").read_bytes() == NEW
    return True


@pytest.mark.parametrize("kind", ["blob", "patch"])
def test_a_frame_with_any_byte_changed_gives_nothing_else(tmp_path: Path, kind: str) -> None:
    frame = _blob(NEW, tmp_path) if kind == "blob" else zstd.make_patch(BASE, NEW)
    base = b"" if kind == "blob" else BASE
    assert _is_taken(frame, base, tmp_path)

    for at in range(len(frame)):
        for mask in (0x01, 0x10, 0x80, 0xFF):
            _is_taken(frame[:at] + bytes([frame[at] ^ mask]) + frame[at + 1 :], base, tmp_path)


@pytest.mark.parametrize("kind", ["blob", "patch"])
def test_a_frame_cut_short_anywhere_is_refused(tmp_path: Path, kind: str) -> None:
    frame = _blob(NEW, tmp_path) if kind == "blob" else zstd.make_patch(BASE, NEW)
    base = b"" if kind == "blob" else BASE

    taken = [at for at in range(len(frame)) if _is_taken(frame[:at], base, tmp_path)]

    assert taken in ([], [len(frame) - 1])  # of the last byte nothing may be left to be read


def test_a_patch_beside_another_base_gives_nothing_else(tmp_path: Path) -> None:
    frame = zstd.make_patch(BASE, NEW)

    assert not _is_taken(frame, BASE[:-1], tmp_path)
    assert not _is_taken(frame, changed(BASE, 3), tmp_path)
    assert not _is_taken(frame, b"", tmp_path)


def test_what_was_only_moved_is_found_in_the_largest_file_that_is_patched() -> None:
    base = noise(1, MOST_PATCHED - 10_000)
    new = changed(base)

    assert len(zstd.make_patch(base, new)) < 10_000


_OPEN = """
import io, json, resource, sys
from agent.wire.zstd import BadFrame, Opened
frame, size = open(sys.argv[1], "rb").read(), int(sys.argv[2])
base = open(sys.argv[3], "rb").read() if len(sys.argv) > 3 else b""
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
came, why = 0, ""
try:
    opened = Opened(io.BytesIO(frame), size, base)
    while chunk := opened.read(65536):
        came += len(chunk)
        if came > size:
            break
except BadFrame as error:
    why = str(error)
print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, came, why]))
"""


def _opened_by_another(tmp_path: Path, frame: bytes, size: int) -> tuple[int, int, str]:
    """Open a frame in a process of its own; return by how many KB it grew, what came, and why."""
    (tmp_path / "frame").write_bytes(frame)
    command = [sys.executable, "-c", _OPEN, str(tmp_path / "frame"), str(size)]
    ended = subprocess.run(command, capture_output=True, check=True, cwd=Path(__file__).parents[2])
    grown, came, why = json.loads(ended.stdout)
    return grown, came, why


def _bomb(size: int, *, says: bool = True, window: int = 21) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        1, window_log=window, write_content_size=says
    )
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj(
        size=size if says else -1
    )
    piece = bytes(2**24)
    parts = [stream.compress(piece[: min(len(piece), size - n)]) for n in range(0, size, 2**24)]
    return b"".join(parts) + stream.flush()


@pytest.mark.parametrize(
    ("says", "why"), [(True, "it is of 1073741824 bytes, not of 1000"), (False, "not of 1000")]
)
def test_a_frame_of_a_gibibyte_takes_no_memory(tmp_path: Path, says: bool, why: str) -> None:
    grown, came, said = _opened_by_another(tmp_path, _bomb(2**30, says=says), 1000)

    assert why in said
    assert came == 0
    assert grown < _MOST_GROWN


def test_a_frame_that_lies_about_its_size_gives_no_more_than_it_says(tmp_path: Path) -> None:
    frame = bytearray(_bomb(2**26, window=20))
    header = zstandard.get_frame_parameters(bytes(frame))
    assert header.content_size == 2**26
    at = frame.index((2**26).to_bytes(4, "little"))
    frame[at : at + 4] = (1000).to_bytes(4, "little")

    grown, came, why = _opened_by_another(tmp_path, bytes(frame), 1000)

    assert why
    assert came <= 1000
    assert grown < _MOST_GROWN


def test_a_frame_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    size = 2**27
    grown, came, why = _opened_by_another(tmp_path, _bomb(size, window=27), size)

    assert "bytes of memory" in why
    assert came == 0
    assert grown < _MOST_GROWN


def test_a_large_blob_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(noise(1, 2**20) * 200)
    zstd.compress(tmp_path / "plain", tmp_path / "blob")

    grown, came, why = _opened_by_another(tmp_path, (tmp_path / "blob").read_bytes(), 200 * 2**20)

    assert (came, why) == (200 * 2**20, "")
    assert grown < _MOST_GROWN
