import io
import random
from pathlib import Path

import pytest

from agent.sealed import (
    CHUNK,
    NotOpened,
    host_key,
    known_host_key,
    new_key,
    open_sealed,
    seal,
    seal_file,
    sealed_size,
)

_SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7]
_TAGGED = CHUNK + 16
_HEAD = 36


@pytest.fixture
def key() -> bytes:
    return new_key()


@pytest.mark.parametrize("size", _SIZES)
def test_what_was_sealed_comes_back_and_has_the_size_foretold(key: bytes, size: int) -> None:
    content = random.Random(size).randbytes(size)
    sealed = seal(key, "name", content)

    assert len(sealed) == sealed_size(size)
    assert open_sealed(key, "name", sealed) == content
    assert len(content) < 16 or content[:16] not in sealed


def test_the_same_content_is_never_sealed_the_same_way_twice(key: bytes) -> None:
    sealed = {seal(key, "name", b"again") for _ in range(50)}

    assert len({one[:_HEAD] for one in sealed}) == 50
    assert len({one[_HEAD:] for one in sealed}) == 50


@pytest.mark.parametrize("size", [5, CHUNK, 2 * CHUNK])
def test_a_flipped_bit_anywhere_is_found(key: bytes, size: int) -> None:
    sealed = seal(key, "name", bytes(size))
    chance = random.Random(size)
    for bit in [*range(8 * _HEAD), *(chance.randrange(len(sealed) * 8) for _ in range(10))]:
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NotOpened):
            open_sealed(key, "name", bytes(flipped))


@pytest.mark.parametrize("left", [0, 3, _HEAD, _HEAD + 16, _HEAD + _TAGGED, _HEAD + 2 * _TAGGED])
def test_what_was_cut_short_is_not_opened_even_between_two_pieces(key: bytes, left: int) -> None:
    sealed = seal(key, "name", bytes(3 * CHUNK))

    with pytest.raises(NotOpened):
        open_sealed(key, "name", sealed[:left])


def test_pieces_in_another_order_or_too_many_are_not_opened(key: bytes) -> None:
    sealed = seal(key, "name", bytes(3 * CHUNK))
    head, one, two = sealed[:_HEAD], sealed[_HEAD:][:_TAGGED], sealed[_HEAD + _TAGGED :]

    for wrong in (head + two + one, head + one + one + two, sealed + b"x", sealed + one):
        with pytest.raises(NotOpened):
            open_sealed(key, "name", wrong)


def test_two_files_that_were_swapped_are_not_opened_nor_one_of_another_backup(key: bytes) -> None:
    sealed = seal(key, "one", b"content")

    for other_key, name in ((key, "other"), (new_key(), "one")):
        with pytest.raises(NotOpened):
            open_sealed(other_key, name, sealed)


def test_the_key_of_the_host_is_made_once_and_for_the_agent_alone(tmp_path: Path) -> None:
    path = tmp_path / "backup.key"
    key = host_key(path)

    assert host_key(path) == known_host_key(path) == key
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"abcd", b"not a key", b"\xff"])
def test_a_key_that_is_none_is_never_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "backup.key"
    path.write_bytes(content)

    with pytest.raises(NotOpened, match="is no key"):
        host_key(path)
    assert path.read_bytes() == content


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotOpened, match="is not there"):
        known_host_key(tmp_path / "backup.key")


def test_sealing_reads_a_piece_at_a_time(key: bytes) -> None:
    class Watched(io.BytesIO):
        most = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.most = max(self.most, size or 0)
            assert size is not None
            assert size > 0
            return super().read(size)

    content = Watched(bytes(3 * CHUNK))
    seal_file(key, "name", content, io.BytesIO())
    assert content.most <= CHUNK
