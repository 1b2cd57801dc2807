"""A release is put together of what a host has; lies about the rest cost time, nothing else."""

import hashlib
import io
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import zstandard
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from agent.assembly import Assembly
from agent.package_paths import BadPackage
from agent.platforms.base import Spot
from agent.reuse import Kept
from agent.steps.table import Cancelled, Refused, Work
from agent.wire import zstd
from agent.wire.contract import Refusal
from agent.wire.https import Https
from agent.wire.https_errors import Refused as HttpRefused
from agent.wire.manifest import Manifest
from agent.wire.parts import Parts, Patch, read_parts, write_parts
from tests.trust.office import Office
from tests.trust.workstation import Files, HostWork, Workstation, changed, noise

OLD: Files = {
    "bin/app": noise(1, 300_000),
    "lib/core.so": noise(2, 400_000),
    "lib/same.so": noise(3, 500_000),
    "readme": b"as it was",
}
NEW: Files = {
    "bin/app": changed(OLD["bin/app"]),
    "lib/core.so": noise(4, 200_000),
    "lib/same.so": OLD["lib/same.so"],
    "share/readme": OLD["readme"],
    "empty": b"",
}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


APP, CORE = sha(NEW["bin/app"]), sha(NEW["lib/core.so"])
PATCH = f"{sha(OLD['bin/app'])}.{APP}"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


@pytest.fixture
def host(office: Office) -> Iterator[Workstation]:
    with office.open():
        host = Workstation(office)
        with host.https:
            host.release(OLD, "1.0")
            host.installs(OLD)
            yield host


def fetched(work: HostWork) -> int:
    """Return how many bytes came, the list of parts among them."""
    return int(work.facts["fetched_bytes"])


def _singly(host: Workstation, manifest: Manifest, patch: str = "") -> int:
    """Return how long the list of parts, the core's blob and the app's part are."""
    of_app = length(host, "patches", patch) if patch else length(host, "blobs", APP)
    of_parts = length(host, "parts", manifest.content_sha256)
    return of_parts + of_app + length(host, "blobs", CORE)


def length(host: Workstation, kind: str, name: str) -> int:
    return host.stored(kind, name).stat().st_size


def test_only_what_the_host_lacks_comes_over_the_network(host: Workstation) -> None:
    manifest = host.release(NEW, "1.1")

    work = host.unpack(manifest)

    assert host.has() == NEW
    assert fetched(work) == _singly(host, manifest, PATCH)
    assert fetched(work) < manifest.content_size // 3
    assert int(work.facts["reused_bytes"]) == 500_000 + len(OLD["readme"])
    assert work.told == sorted(work.told)
    assert work.told[-1] == (manifest.unpacked_size, manifest.unpacked_size)


def test_the_app_is_only_read(host: Workstation) -> None:
    before = {path: path.stat() for path in host.app.rglob("*") if path.is_file()}

    host.unpack(host.release(NEW, "1.1"))

    assert {path: path.stat().st_mtime_ns for path in before} == {
        path: about.st_mtime_ns for path, about in before.items()
    }
    assert (host.app / "bin/app").read_bytes() == OLD["bin/app"]


def test_modes_are_those_of_the_manifest_whatever_the_host_had(host: Workstation) -> None:
    (host.app / "lib/same.so").chmod(0o4777)
    manifest = host.release(NEW, "1.1")

    host.unpack(manifest)

    for entry in manifest.files:
        assert (host.into / entry.path).stat().st_mode & 0o7777 == entry.mode


def test_nothing_is_asked_for_when_the_host_has_it_all(host: Workstation) -> None:
    manifest = host.release(OLD | {"second": OLD["readme"]}, "1.1")
    for kind in ("parts", "blobs"):
        for path in host.stored(kind, "x").parent.iterdir():
            path.unlink()

    work = host.unpack(manifest)

    assert host.has() == OLD | {"second": OLD["readme"]}
    assert fetched(work) == 0


def test_a_first_installation_fetches_the_package_whole(host: Workstation) -> None:
    files = {f"f{i}": noise(i, 20_000) for i in range(30)}
    manifest = host.release(files, "1.1")

    work = host.unpack(manifest)

    assert host.has() == files
    assert fetched(work) == manifest.content_size


def test_many_small_changed_files_are_fetched_as_one_stream(host: Workstation) -> None:
    small = {f"conf/{i}": noise(100 + i, 2_000) for i in range(200)}
    manifest = host.release(NEW | small, "1.1")

    work = host.unpack(manifest)

    assert host.has() == NEW | small
    assert fetched(work) == manifest.content_size


def test_until_patches_are_made_the_file_comes_as_a_blob(host: Workstation) -> None:
    manifest = host.release(NEW, "1.1", patched=False)

    work = host.unpack(manifest)

    assert host.has() == NEW
    assert fetched(work) == _singly(host, manifest)


def test_a_package_from_before_there_were_parts_is_fetched_whole(host: Workstation) -> None:
    manifest = host.release(NEW, "1.1")
    host.stored("parts", manifest.content_sha256).unlink()

    assert fetched(host.unpack(manifest)) == manifest.content_size
    assert host.has() == NEW


def test_what_an_undo_set_aside_is_used_again(host: Workstation) -> None:
    manifest = host.release(NEW, "1.1")
    host.unpack(manifest)
    host.into.rename(host.into.with_name("discarded"))

    assert fetched(host.unpack(manifest)) == 0
    assert host.has() == NEW


@pytest.mark.parametrize("cut", [1, 40_000, 150_000])
def test_it_goes_on_at_any_byte_and_file_where_the_line_was_cut(office: Office, cut: int) -> None:
    heard: list[str] = []
    office.extra.append(_cutting(office, cut, heard))
    with office.open():
        host = Workstation(office)
        with host.https:
            host.release(OLD, "1.0")
            host.installs(OLD)
            manifest = host.release(NEW, "1.1")

            work = host.unpack(manifest)

            assert host.has() == NEW
            assert heard == ["", f"bytes={cut}-"]
            assert fetched(work) == _singly(host, manifest, PATCH)


def _cutting(office: Office, cut: int, heard: list[str]) -> Route:
    def endpoint(request: Request) -> Response:
        whole = (office.data / "packages" / "blobs" / CORE).read_bytes()
        heard.append(request.headers.get("range", ""))
        start = int(heard[-1].removeprefix("bytes=").rstrip("-") or 0)
        stop = cut if len(heard) == 1 else len(whole)
        headers = {
            "Content-Length": str(len(whole) - start),
            "Content-Range": f"bytes {start}-{len(whole) - 1}/{len(whole)}",
        }
        return StreamingResponse(_until(whole[start:stop]), 206, headers)

    return Route(f"/packages/blobs/{CORE}", endpoint)


async def _until(part: bytes) -> AsyncIterator[bytes]:
    yield part


def test_a_fetch_that_was_ended_is_taken_up_with_what_had_come(host: Workstation) -> None:
    manifest = host.release(NEW, "1.1")
    work = host.work(manifest, rate=10_000)
    work.end_at_pause = len(manifest.files) + 3
    with pytest.raises(Cancelled):
        host.unpack(manifest, work)
    assert not host.into.exists()

    again = host.unpack(manifest)

    assert host.has() == NEW
    assert fetched(work) > 0
    twice_listed = length(host, "parts", manifest.content_sha256)
    assert fetched(again) + fetched(work) == _singly(host, manifest, PATCH) + twice_listed


def test_a_coordinator_that_is_gone_is_told_and_nothing_unverified_is_staged(
    host: Workstation,
) -> None:
    manifest = host.release(NEW, "1.1")
    nobody = Https("127.0.0.1:1", host.state / "ca.pem")
    with nobody, pytest.raises(Refused, match="cannot reach the coordinator") as refused:
        host.unpack(manifest, host.work(manifest, https=nobody))
    assert refused.value.refusal is Refusal.PACKAGE_ABSENT
    assert not host.into.exists()


# -- what is told or given is not so -----------------------------------------------------------


def _parts_of(host: Workstation, manifest: Manifest) -> Parts:
    return read_parts(host.stored("parts", manifest.content_sha256).read_bytes())


def _tell(host: Workstation, manifest: Manifest, parts: Parts) -> None:
    host.stored("parts", manifest.content_sha256).write_bytes(write_parts(parts))


def _other_blob(host: Workstation, _manifest: Manifest) -> None:
    blob = host.stored("blobs", CORE)
    other = zstandard.ZstdCompressor().compress(noise(5, 200_000))
    assert len(other) == blob.stat().st_size
    blob.write_bytes(other)


def _short_blob(host: Workstation, _manifest: Manifest) -> None:
    blob = host.stored("blobs", CORE)
    blob.write_bytes(blob.read_bytes()[:-1])


def _long_blob(host: Workstation, _manifest: Manifest) -> None:
    with host.stored("blobs", CORE).open("ab") as blob:
        blob.write(b"x")


def _no_blob(host: Workstation, _manifest: Manifest) -> None:
    host.stored("blobs", CORE).unlink()


def _flipped_blob(host: Workstation, _manifest: Manifest) -> None:
    blob = host.stored("blobs", CORE)
    raw = bytearray(blob.read_bytes())
    raw[len(raw) // 2] ^= 1
    blob.write_bytes(raw)


def _no_frame(host: Workstation, _manifest: Manifest) -> None:
    blob = host.stored("blobs", CORE)
    blob.write_bytes(noise(6, blob.stat().st_size))


def _swollen(content: Path, host: Workstation, manifest: Manifest, *, told: bool) -> None:
    """Have a frame of a gibibyte there, whose header says so or does not."""
    bomb = zstandard.ZstdCompressor(level=1, write_content_size=told)
    stream = bomb.compressobj(size=2**30 if told else -1)
    frame = b"".join(stream.compress(bytes(2**24)) for _ in range(64)) + stream.flush()
    content.write_bytes(frame)
    at = next(i for i, entry in enumerate(manifest.files) if entry.path == "bin/app")
    blobs = list(_parts_of(host, manifest).blobs)
    blobs[at] = len(frame)
    patches = (Patch(at, sha(OLD["bin/app"]), len(frame)),)
    _tell(host, manifest, Parts(tuple(blobs), patches))


def _bomb_patch(host: Workstation, manifest: Manifest) -> None:
    _swollen(host.stored("patches", PATCH), host, manifest, told=True)


def _silent_bomb_patch(host: Workstation, manifest: Manifest) -> None:
    _swollen(host.stored("patches", PATCH), host, manifest, told=False)


def _bomb_blob(host: Workstation, manifest: Manifest) -> None:
    host.stored("patches", PATCH).unlink()
    _swollen(host.stored("blobs", APP), host, manifest, told=True)


def _other_base(host: Workstation, manifest: Manifest) -> None:
    """Have a patch under the name of the host's file that was made from another."""
    patch = zstd.make_patch(OLD["lib/core.so"], NEW["bin/app"])
    host.stored("patches", PATCH).write_bytes(patch)
    at = next(i for i, entry in enumerate(manifest.files) if entry.path == "bin/app")
    blobs = _parts_of(host, manifest).blobs
    _tell(host, manifest, Parts(blobs, (Patch(at, sha(OLD["bin/app"]), len(patch)),)))


def _patch_to_other(host: Workstation, manifest: Manifest) -> None:
    new = changed(OLD["bin/app"], seed=77)[: len(NEW["bin/app"])].ljust(len(NEW["bin/app"]))
    patch = zstd.make_patch(OLD["bin/app"], new)
    host.stored("patches", PATCH).write_bytes(patch)
    at = next(i for i, entry in enumerate(manifest.files) if entry.path == "bin/app")
    blobs = _parts_of(host, manifest).blobs
    _tell(host, manifest, Parts(blobs, (Patch(at, sha(OLD["bin/app"]), len(patch)),)))


def _raw_parts(raw: bytes) -> Callable[[Workstation, Manifest], None]:
    def write(host: Workstation, manifest: Manifest) -> None:
        host.stored("parts", manifest.content_sha256).write_bytes(raw)

    return write


def _far_patch(host: Workstation, manifest: Manifest) -> None:
    parts = _parts_of(host, manifest)
    _tell(host, manifest, Parts(parts.blobs, (Patch(99_999, "0" * 64, 1),)))


def _wrong_lengths(host: Workstation, manifest: Manifest) -> None:
    _tell(host, manifest, Parts(tuple(1 for _ in manifest.files)))


def _huge_lengths(host: Workstation, manifest: Manifest) -> None:
    _tell(host, manifest, Parts(tuple(2**50 for _ in manifest.files)))


LIES = {
    "a blob of other content": _other_blob,
    "a blob one byte short": _short_blob,
    "a blob one byte long": _long_blob,
    "a blob that is not there": _no_blob,
    "a blob with one bit flipped": _flipped_blob,
    "a blob that is no frame": _no_frame,
    "a blob of a gibibyte": _bomb_blob,
    "a patch of a gibibyte": _bomb_patch,
    "a patch of a gibibyte that does not say so": _silent_bomb_patch,
    "a patch from another base": _other_base,
    "a patch to another content": _patch_to_other,
    "parts that are no JSON": _raw_parts(b"<html>"),
    "parts that are empty": _raw_parts(b""),
    "parts nested without end": _raw_parts(b"[" * 200_000),
    "parts of another form": _raw_parts(json.dumps({"blobs": {"a": -1}}).encode()),
    "parts with negative lengths": _raw_parts(json.dumps({"blobs": [-1], "patches": []}).encode()),
    "parts of fewer files": _raw_parts(json.dumps({"blobs": [1], "patches": []}).encode()),
    "a patch to a file that is not on the manifest": _far_patch,
    "blobs said to be of one byte": _wrong_lengths,
    "blobs said to be of a pebibyte": _huge_lengths,
}


@pytest.mark.parametrize("lie", list(LIES))
def test_a_lie_costs_time_and_the_release_is_right_all_the_same(
    host: Workstation, lie: str
) -> None:
    manifest = host.release(NEW, "1.1")
    LIES[lie](host, manifest)

    host.unpack(manifest)

    assert host.has() == NEW
    assert sorted(path.suffix for path in (host.state / "downloads").iterdir()) in (
        [],
        [".zip"],
    )


@pytest.mark.parametrize("at", range(0, 400, 7))
def test_a_patch_with_any_byte_changed_is_found(host: Workstation, at: int) -> None:
    manifest = host.release(NEW, "1.1")
    patch = host.stored("patches", PATCH)
    raw = bytearray(patch.read_bytes())
    raw[at % len(raw)] ^= 0xFF
    patch.write_bytes(raw)

    host.unpack(manifest)

    assert host.has() == NEW


@pytest.mark.parametrize("said", [None, 10**15])
def test_a_body_without_end_is_cut_off(office: Office, said: int | None) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(2_000):
            yield bytes(65_536)

    def endpoint(_request: Request) -> Response:
        headers = {} if said is None else {"Content-Length": str(said)}
        return StreamingResponse(endless(), 200, headers)

    office.extra.append(Route("/packages/blobs/{sha256}", endpoint))
    office.extra.append(Route("/packages/patches/{name}", endpoint))
    with office.open():
        host = Workstation(office)
        with host.https:
            host.release(OLD, "1.0")
            host.installs(OLD)
            manifest = host.release(NEW, "1.1")

            work = host.unpack(manifest)

            assert host.has() == NEW
            assert fetched(work) <= 2 * manifest.content_size


def test_when_every_transport_lies_nothing_is_staged(host: Workstation) -> None:
    manifest = host.release(NEW, "1.1")
    _other_blob(host, manifest)
    content = host.office.packages.path(manifest.content_sha256)
    assert content is not None
    raw = bytearray(content.read_bytes())
    raw[1000] ^= 1
    content.write_bytes(raw)

    with pytest.raises(Refused) as refused:
        host.unpack(manifest)

    assert refused.value.refusal is Refusal.PACKAGE_MISMATCH
    assert not host.into.exists()


# -- what lies in the app's folder is the users' -------------------------------------------------


def test_no_link_in_the_apps_folder_is_followed(host: Workstation, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(OLD["lib/same.so"])
    (host.app / "lib/same.so").unlink()
    (host.app / "lib/same.so").symlink_to(secret)

    work = host.unpack(host.release(NEW, "1.1"))

    assert host.has() == NEW
    assert not (host.into / "lib/same.so").is_symlink()
    assert fetched(work) > length(host, "blobs", sha(OLD["lib/same.so"]))


def test_a_pipe_in_a_files_place_does_not_hold_it_up(host: Workstation) -> None:
    (host.app / "bin/app").unlink()
    os.mkfifo(host.app / "bin/app")

    host.unpack(host.release(NEW, "1.1"))

    assert host.has() == NEW


def test_a_file_that_grows_while_it_is_copied_is_read_no_further_than_its_size(
    host: Workstation,
) -> None:
    manifest = host.release(NEW, "1.1")
    work = host.work(manifest)
    opened: list[io.BytesIO] = []

    class Growing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return bytes(size or 0)

    def open_file(spot: Spot) -> io.BytesIO:
        opened.append(Growing())
        return opened[-1]

    work.platform.open_file = open_file  # type: ignore[attr-defined]
    host.unpack(manifest, work)

    assert opened
    assert host.has() == NEW


def test_a_base_that_is_changed_meanwhile_is_no_base(host: Workstation) -> None:
    manifest = host.release(NEW, "1.1")
    work = host.work(manifest)
    real, count = work.platform.open_file, 0  # type: ignore[attr-defined]

    def open_file(spot: Spot) -> object:
        nonlocal count
        count += spot.path == "bin/app"
        if spot.path == "bin/app" and count > 1:
            return io.BytesIO(b"other")
        return real(spot)

    work.platform.open_file = open_file  # type: ignore[attr-defined]
    host.unpack(manifest, work)

    assert host.has() == NEW


def test_a_file_that_cannot_be_read_is_fetched(host: Workstation) -> None:
    manifest = host.release(NEW, "1.1")
    work = host.work(manifest)

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    work.platform.open_file = lambda _spot: Broken()  # type: ignore[attr-defined]
    host.unpack(manifest, work)

    assert host.has() == NEW


# -- who may have what ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["parts", "blobs", "patches"])
def test_a_part_is_given_with_the_ticket_of_its_package_alone(
    host: Workstation, kind: str
) -> None:
    manifest = host.release(NEW, "1.1")
    other = host.release({"a": noise(8, 5_000)}, "2.0")
    name = {"parts": manifest.content_sha256, "blobs": CORE, "patches": PATCH}[kind]
    path = f"/packages/{kind}/{name}"

    def status(package: str, ticket_for: str, host_id: str = "") -> int:
        headers = {
            "X-Roundsman-Host": host_id or host.id,
            "X-Roundsman-Ticket": host.office.tickets.make(host.id, ticket_for),
            "X-Roundsman-Package": package,
        }
        return _status(host.https, path, headers)

    mine, others = manifest.content_sha256, other.content_sha256
    assert status(mine, mine) == 200
    assert status(mine, others) == 403
    assert status(others, others) in {403, 404}
    assert status("../blobs", "../blobs") in {403, 404}
    assert status(mine, mine, "pc-99") == 403
    host.office.book.revoke(host.id)
    assert status(mine, mine) == 403


def _status(https: Https, path: str, headers: dict[str, str]) -> int:
    try:
        https.get_bytes(path, 10**6, headers)
    except HttpRefused as error:
        return error.status
    return 200


def test_a_blob_that_two_packages_share_is_stored_once(host: Workstation) -> None:
    before = len(list(host.stored("blobs", "x").parent.iterdir()))

    host.release(NEW, "1.1")

    after = len(list(host.stored("blobs", "x").parent.iterdir()))
    assert after - before == 3  # the app, the core, and the empty file


def test_a_file_that_is_too_large_for_an_agents_memory_goes_whole(host: Workstation) -> None:
    large = bytes(17 * 2**20)
    host.release({"big": large}, "2.0")
    manifest = host.release({"big": large + b"x"}, "2.1")

    assert _parts_of(host, manifest).patches == ()


def test_a_frame_is_opened_by_its_own_size_only() -> None:
    frame = zstandard.ZstdCompressor().compress(b"x" * 1000)
    assert zstd.Opened(io.BytesIO(frame), 1000).read(2000) == b"x" * 1000
    for size in (999, 1001, 0):
        with pytest.raises(zstd.BadFrame):
            zstd.Opened(io.BytesIO(frame), size)


def test_a_path_that_leaves_the_folder_is_refused_whoever_asks(host: Workstation) -> None:
    manifest = host.release(NEW, "1.1")
    bad = replace(manifest, files=(replace(manifest.files[0], path="../out"), *manifest.files[1:]))
    work = cast("Work", host.work(manifest))
    with pytest.raises(BadPackage, match="out"):
        Assembly(bad, host.into, Kept(work, []), work)
    assert not host.into.exists()
