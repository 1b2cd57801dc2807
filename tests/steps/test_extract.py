import io
import json
import os
import stat
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.extract import check_paths, extract, strangers, verify_tree, wipe
from agent.package_paths import BadPackage
from agent.wire.manifest import Manifest, write_manifest
from tests.steps.bench import manifest_of, release, write_tree, zip_of

_FILES = release("1.1")
_MOST_GROWN = 64 * 1024  # kilobytes


def _quiet(_done: int, _total: int) -> None:
    pass


def _zip(path: Path, entries: list[tuple[zipfile.ZipInfo, bytes]]) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # zipfile warns of a name that is there twice
        for info, content in entries:
            archive.writestr(info, content)
    return path


def _entries(files: dict[str, bytes]) -> list[tuple[zipfile.ZipInfo, bytes]]:
    return [(zipfile.ZipInfo(name), content) for name, content in files.items()]


def test_the_files_of_the_manifest_are_unpacked_with_their_modes(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    manifest = manifest_of(_FILES)

    extract(
        zip_of(tmp_path / "p.zip", _FILES),
        manifest,
        tmp_path / "into",
        lambda done, total: told.append((done, total)),
    )

    verify_tree(tmp_path / "into", manifest)
    assert strangers(tmp_path / "into", set(_FILES)) == []
    assert stat.S_IMODE((tmp_path / "into/bin/app").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "into/version.txt").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "into").stat().st_mode) == 0o700
    assert told[-1] == (manifest.unpacked_size, manifest.unpacked_size)


def test_folder_entries_of_known_folders_are_no_harm(tmp_path: Path) -> None:
    entries = _entries({"bin/": b"", **_FILES})
    entries[0][0].external_attr = (stat.S_IFDIR | 0o755) << 16

    extract(_zip(tmp_path / "p.zip", entries), manifest_of(_FILES), tmp_path / "into", _quiet)

    verify_tree(tmp_path / "into", manifest_of(_FILES))


def test_what_the_zip_says_of_modes_is_not_believed(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a")
    info.external_attr = (stat.S_IFREG | 0o4777) << 16

    extract(
        _zip(tmp_path / "p.zip", [(info, b"x")]), manifest_of({"a": b"x"}), tmp_path / "i", _quiet
    )

    assert stat.S_IMODE((tmp_path / "i/a").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    "path",
    [
        "../evil",
        "a/../../evil",
        "/etc/passwd",
        "//server/share/evil",
        "C:/evil",
        "c:evil",
        "\\\\server\\share\\evil",
        "a\\..\\evil",
        "app.exe:evil",
        "a/CON",
        "nul.txt",
        "Com1.log",
        "lpt\u00b3",
        "aux /x",
        "a.exe.",
        "b ",
        " b",
        "dir./x",
        "dir /x",
        ".",
        "a/./b",
        "a//b",
        "a/",
        "",
        "a\x00b",
        "a\nb",
        "a\u202eb",
        "what?",
        "a*b",
        "<a>",
        'a"b',
        "a|b",
        "x" * 256,
        "é" * 128,
        "/".join(["abcdefghi"] * 41),
    ],
)
def test_a_path_that_is_not_one_plain_path_everywhere_is_refused(
    tmp_path: Path, path: str
) -> None:
    content = _zip(tmp_path / "p.zip", _entries({"x": b"x"}))

    with pytest.raises(BadPackage, match="cannot unpack"):
        extract(content, manifest_of({"good": b"x", path: b"x"}), tmp_path / "into", _quiet)

    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("App.exe", "app.EXE"),
        ("stra\u00dfe", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("Lib/a", "lib/b"),
        ("a", "a/b"),
        ("A/b", "a"),
    ],
)
def test_two_paths_that_are_one_somewhere_are_refused(one: str, other: str) -> None:
    with pytest.raises(BadPackage):
        check_paths(manifest_of({one: b"", other: b""}))


def test_a_path_listed_twice_is_refused() -> None:
    manifest = manifest_of({"a": b"x"})

    with pytest.raises(BadPackage, match="is there twice"):
        check_paths(replace(manifest, files=manifest.files * 2))


def test_ordinary_names_are_not_refused() -> None:
    check_paths(manifest_of({"Ünï/çode name.tar.gz": b"", ".hidden/.x": b"", "console": b""}))


def _evil(name: str, mode: int = 0, attributes: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (mode << 16) | attributes
    return info


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        (_evil("not-listed"), "is not on the manifest"),
        (_evil("../evil"), "is not on the manifest"),
        (_evil("/etc/evil"), "is not on the manifest"),
        (_evil("C:\\evil"), "is not on the manifest"),
        (_evil("A"), "is not on the manifest"),
        (_evil("unknown-folder/"), "is not on the manifest"),
        (_evil("a"), "is in the zip twice"),
        (_evil("a", stat.S_IFLNK | 0o777), "a link or a special file"),
        (_evil("a", stat.S_IFIFO | 0o777), "a link or a special file"),
        (_evil("a", stat.S_IFBLK | 0o777), "a link or a special file"),
        (_evil("a", stat.S_IFDIR | 0o777), "a link or a special file"),
        (_evil("a", 0, 0x400), "it is a link"),
    ],
)
def test_an_entry_that_is_no_listed_plain_file_is_refused_before_any_write(
    tmp_path: Path, extra: zipfile.ZipInfo, why: str
) -> None:
    content = _zip(tmp_path / "p.zip", [*_entries({"a": b"x"}), (extra, b"x")])

    with pytest.raises(BadPackage, match=why):
        extract(content, manifest_of({"a": b"x"}), tmp_path / "into", _quiet)

    assert not (tmp_path / "into").exists()


def test_an_entry_that_is_missing_is_named_before_any_write(tmp_path: Path) -> None:
    content = zip_of(tmp_path / "p.zip", {"a": b"x"})

    with pytest.raises(BadPackage, match="'b/c': it is not in the zip"):
        extract(content, manifest_of({"a": b"x", "b/c": b"y"}), tmp_path / "into", _quiet)

    assert not (tmp_path / "into").exists()


def test_another_size_is_refused_before_any_write(tmp_path: Path) -> None:
    content = zip_of(tmp_path / "p.zip", {"a": b"xyz"})

    with pytest.raises(BadPackage, match="3 bytes in the zip, 2 on the manifest"):
        extract(content, manifest_of({"a": b"xy"}), tmp_path / "into", _quiet)

    assert not (tmp_path / "into").exists()


def test_another_content_of_the_same_size_is_refused(tmp_path: Path) -> None:
    content = zip_of(tmp_path / "p.zip", {"a": b"xy"})

    with pytest.raises(BadPackage, match="not what was signed"):
        extract(content, manifest_of({"a": b"xz"}), tmp_path / "into", _quiet)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_packages_do_not_use_is_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w", method) as archive:
        archive.writestr("a", b"x" * 100)

    with pytest.raises(BadPackage, match="compressed in a way"):
        extract(tmp_path / "p.zip", manifest_of({"a": b"x" * 100}), tmp_path / "into", _quiet)


def _patched(raw: bytes, directory_offset: int, value: bytes) -> bytes:
    at = raw.rindex(b"PK\1\2") + directory_offset
    return raw[:at] + value + raw[at + len(value) :]


@pytest.mark.parametrize(
    ("offset", "value", "why"),
    [
        (8, b"\x01\x00", "encrypted"),
        (24, struct.pack("<L", 5), "not what was signed|damaged"),  # claims 5 bytes, holds 2e6
    ],
)
def test_a_zip_that_lies_about_an_entry_is_refused(
    tmp_path: Path, offset: int, value: bytes, why: str
) -> None:
    raw = zip_of(tmp_path / "p.zip", {"a": b"x" * 2_000_000}).read_bytes()
    (tmp_path / "p.zip").write_bytes(_patched(raw, offset, value))
    size = 5 if offset == 24 else 2_000_000

    with pytest.raises(BadPackage, match=why):
        extract(tmp_path / "p.zip", manifest_of({"a": b"x" * size}), tmp_path / "into", _quiet)

    if size == 5:
        assert (tmp_path / "into/a").stat().st_size <= 5


def test_a_bomb_is_never_unpacked_beyond_what_the_manifest_says(tmp_path: Path) -> None:
    bomb = zip_of(tmp_path / "p.zip", {"a": bytes(200_000_000)})
    assert bomb.stat().st_size < 300_000
    raw = bomb.read_bytes()
    bomb.write_bytes(_patched(raw, 24, struct.pack("<L", 1000)))

    with pytest.raises(BadPackage):
        extract(bomb, manifest_of({"a": bytes(1000)}), tmp_path / "into", _quiet)

    assert (tmp_path / "into/a").stat().st_size <= 1000


_UNPACK = """
import json, resource, sys
from pathlib import Path
from agent.extract import extract
from agent.package_paths import BadPackage
from agent.wire.manifest import read_manifest
manifest = read_manifest(Path(sys.argv[1]).with_suffix(".json").read_bytes())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
why = ""
try:
    extract(Path(sys.argv[1]), manifest, Path(sys.argv[2]), lambda *bytes: None)
except BadPackage as error:
    why = str(error)
print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, why]))
"""


def _unpacked_by_another(tmp_path: Path, manifest: Manifest) -> tuple[int, str]:
    """Unpack p.zip in a process of its own; return by how many KB it grew, and its refusal."""
    (tmp_path / "p.json").write_bytes(write_manifest(manifest))
    told = subprocess.run(
        [sys.executable, "-c", _UNPACK, tmp_path / "p.zip", tmp_path / "into"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    ).stdout
    grown, why = json.loads(told)
    return grown, why


def _zip_of_a_million_entries(path: Path) -> None:
    one = struct.pack("<4s6H3L5H2L", b"PK\1\2", *[0] * 9, 1, *[0] * 6) + b"a"
    directory = one * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65_535, 65_535, len(directory), 0, 0)
    path.write_bytes(directory + end)


def test_a_million_entries_are_refused_without_reading_them(tmp_path: Path) -> None:
    _zip_of_a_million_entries(tmp_path / "p.zip")

    grown, why = _unpacked_by_another(tmp_path, manifest_of({"a": b""}))

    assert "its directory of 47000000 bytes is larger than its manifest allows" in why
    assert grown < _MOST_GROWN
    assert not (tmp_path / "into").exists()


def test_a_million_entries_are_refused_though_the_manifest_is_a_long_one(tmp_path: Path) -> None:
    _zip_of_a_million_entries(tmp_path / "p.zip")
    files = {f"folder/{number}": b"" for number in range(30_000)}

    grown, why = _unpacked_by_another(tmp_path, manifest_of(files))

    assert "more entries than its manifest has files" in why
    assert grown < 2 * _MOST_GROWN  # the directory itself, and the manifest's own names
    assert not (tmp_path / "into").exists()


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    bomb = zip_of(tmp_path / "p.zip", {"a": bytes(200_000_000)})
    assert 1000 * bomb.stat().st_size < 200_000_000
    raw = bomb.read_bytes()
    bomb.write_bytes(_patched(raw, 24, struct.pack("<L", 1000)))

    grown, why = _unpacked_by_another(tmp_path, manifest_of({"a": bytes(1000)}))

    assert why
    assert grown < _MOST_GROWN


def test_a_large_file_takes_no_memory(tmp_path: Path) -> None:
    files = {"a": bytes(200_000_000)}
    zip_of(tmp_path / "p.zip", files)

    grown, why = _unpacked_by_another(tmp_path, manifest_of(files))

    assert (why, (tmp_path / "into/a").stat().st_size) == ("", 200_000_000)
    assert grown < _MOST_GROWN


@pytest.mark.parametrize("length", [501, 33_001, 65_001])
def test_a_path_longer_than_a_system_can_hold_is_refused_before_any_write(
    tmp_path: Path, length: int
) -> None:
    path = "/".join(["x" * 99] * (length // 100))[:length].strip("/") + "y" * (length % 100)
    content = zip_of(tmp_path / "p.zip", {"a": b"x", path: b"x"})

    for manifest in (manifest_of({"a": b"x"}), manifest_of({"a": b"x", path: b"x"})):
        with pytest.raises(BadPackage, match="cannot unpack"):
            extract(content, manifest, tmp_path / "into", _quiet)
        assert not (tmp_path / "into").exists()


def test_a_zip_in_a_zip_is_just_a_file(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../evil", bytes(1_000_000))
    files = {"inner.zip": inner.getvalue()}

    extract(zip_of(tmp_path / "p.zip", files), manifest_of(files), tmp_path / "into", _quiet)

    assert [path.name for path in (tmp_path / "into").rglob("*")] == ["inner.zip"]


@pytest.mark.parametrize("cut", [0, 1, 100, -1, -22, -30])
def test_a_truncated_zip_is_refused(tmp_path: Path, cut: int) -> None:
    raw = zip_of(tmp_path / "p.zip", _FILES).read_bytes()
    (tmp_path / "p.zip").write_bytes(raw[:cut])

    with pytest.raises(BadPackage, match="damaged"):
        extract(tmp_path / "p.zip", manifest_of(_FILES), tmp_path / "into", _quiet)


def test_a_zip_with_any_one_byte_flipped_never_gives_another_content(tmp_path: Path) -> None:
    files = {"a": b"some text, some text", "b/c": b"other"}
    manifest = manifest_of(files)
    raw = zip_of(tmp_path / "p.zip", files).read_bytes()

    for at in range(len(raw)):
        (tmp_path / "p.zip").write_bytes(raw[:at] + bytes([raw[at] ^ 0x55]) + raw[at + 1 :])
        wipe(tmp_path / "into")
        try:
            extract(tmp_path / "p.zip", manifest, tmp_path / "into", _quiet)
        except BadPackage:
            continue
        verify_tree(tmp_path / "into", manifest)
        assert strangers(tmp_path / "into", set(files)) == []


def test_it_does_not_unpack_over_what_is_there(tmp_path: Path) -> None:
    write_tree(tmp_path / "into", {"already": b""})

    with pytest.raises(BadPackage, match="not empty"):
        extract(zip_of(tmp_path / "p.zip", _FILES), manifest_of(_FILES), tmp_path / "into", _quiet)


def test_it_does_not_unpack_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "into").symlink_to("elsewhere")

    with pytest.raises(BadPackage, match="it is a link"):
        extract(zip_of(tmp_path / "p.zip", _FILES), manifest_of(_FILES), tmp_path / "into", _quiet)

    assert list((tmp_path / "elsewhere").iterdir()) == []


def _alter(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def _replace_by_link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def _replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "harm", [_alter, _lengthen, Path.unlink, _replace_by_link, _replace_by_folder]
)
def test_a_tree_that_is_not_the_signed_one_is_found_out(
    tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    write_tree(tmp_path, _FILES)
    verify_tree(tmp_path, manifest_of(_FILES))

    harm(tmp_path / "lib/code.bin")

    with pytest.raises(BadPackage, match=r"lib/code\.bin"):
        verify_tree(tmp_path, manifest_of(_FILES))


def test_what_does_not_belong_to_a_tree_is_listed(tmp_path: Path) -> None:
    write_tree(tmp_path, _FILES | {"lib/planted.dll": b""})
    (tmp_path / "lib/link").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")

    assert strangers(tmp_path, set(_FILES)) == ["lib/link", "lib/planted.dll", "pipe"]


def test_an_empty_manifest_unpacks_to_an_empty_folder(tmp_path: Path) -> None:
    empty = Manifest("a", "1", "client", "linux", "0" * 64, 0, ())

    extract(zip_of(tmp_path / "p.zip", {}), empty, tmp_path / "into", _quiet)

    assert list((tmp_path / "into").iterdir()) == []
