import struct
import zipfile
from pathlib import Path

import pytest

from agent.wire.manifest import read_manifest, write_manifest
from agent.wire.terms import NO_TERMS, Terms
from coordinator.releases.packages import BadPackage, Label, PackageStore, manifest_name
from tests.trust.office import make_zip

LABEL = Label("standin", "1.1", "workstation", "linux")


def refused(tmp_path: Path, zip_file: Path, why: str) -> None:
    with pytest.raises(BadPackage, match=why):
        PackageStore(tmp_path / "store").build(zip_file, LABEL)
    assert list((tmp_path / "store").iterdir()) == []


def test_a_zip_becomes_a_manifest_and_a_content_by_its_hash(tmp_path: Path) -> None:
    zip_file = make_zip(tmp_path / "a.zip", {"bin/app": b"one", "data/x": b""})
    store = PackageStore(tmp_path / "store")
    manifest = store.build(zip_file, LABEL)
    assert [(f.path, f.size, oct(f.mode)) for f in manifest.files] == [
        ("bin/app", 3, "0o600"),
        ("data/x", 0, "0o600"),
    ]
    kept = store.path(manifest.content_sha256)
    assert kept is not None
    assert kept.read_bytes() == zip_file.read_bytes()
    assert read_manifest(write_manifest(manifest)) == manifest
    assert manifest_name(LABEL) == "packages/standin/1.1/workstation-linux.json"


def test_the_terms_of_a_release_are_in_what_is_signed(tmp_path: Path) -> None:
    zip_file = make_zip(tmp_path / "a.zip", {"bin/app": b"one"})
    store = PackageStore(tmp_path / "store")
    terms = Terms(released="2026-11-21", editions=("pro",), contract=True, over=">=1.0")
    assert store.build(zip_file, LABEL).terms == NO_TERMS
    signed = write_manifest(store.build(zip_file, LABEL, terms))
    assert read_manifest(signed).terms == terms


def test_the_same_zip_twice_is_one_content_and_one_manifest(tmp_path: Path) -> None:
    zip_file = make_zip(tmp_path / "a.zip", {"bin/app": b"one"})
    store = PackageStore(tmp_path / "store")
    assert store.build(zip_file, LABEL) == store.build(zip_file, LABEL)
    stored = [path for path in (tmp_path / "store").iterdir() if path.is_file()]
    assert len(stored) == len(list((tmp_path / "store" / "blobs").iterdir())) == 1


def test_programs_stay_programs_and_nobody_else_may_write_them(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("bin/app")
    info.external_attr = 0o100777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, b"one")
    manifest = PackageStore(tmp_path / "store").build(tmp_path / "a.zip", LABEL)
    assert oct(manifest.files[0].mode) == "0o755"


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/passwd", "C:/Windows/x", "a\\b", "CON", "a.", "a:b"]
)
def test_a_path_that_leads_out_or_means_something_else_is_refused(
    tmp_path: Path, name: str
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("good", b"1")
        archive.writestr(name, b"1")
    refused(tmp_path, tmp_path / "a.zip", "cannot unpack")


@pytest.mark.parametrize("kind", [0o120777, 0o010644, 0o060644])
def test_a_link_or_a_special_file_is_refused_by_name(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("lib/link")
    info.external_attr = kind << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path, tmp_path / "a.zip", "lib/link.*link or a special file")


@pytest.mark.parametrize("names", [["a", "A"], ["a", "a/b"], ["x/a", "X/b"]])
def test_names_that_are_one_on_some_system_are_refused(tmp_path: Path, names: list[str]) -> None:
    zip_file = make_zip(tmp_path / "a.zip", dict.fromkeys(names, b"1"))
    refused(tmp_path, zip_file, "cannot unpack")


def test_what_is_no_zip_or_holds_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_bytes(b"hello")
    refused(tmp_path, tmp_path / "text.zip", "no sound zip file")
    refused(tmp_path, make_zip(tmp_path / "empty.zip", {}), "holds 0 files")


def test_a_zip_cut_short_or_with_a_changed_bit_is_refused(tmp_path: Path) -> None:
    raw = make_zip(tmp_path / "a.zip", {"bin/app": b"one" * 5000}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(raw[:-30])
    refused(tmp_path, tmp_path / "cut.zip", "cannot take")
    flipped = bytearray(raw)
    flipped[45] ^= 1
    (tmp_path / "flipped.zip").write_bytes(flipped)
    refused(tmp_path, tmp_path / "flipped.zip", "cannot take")


def test_an_entry_larger_than_any_package_is_refused_before_it_is_read(tmp_path: Path) -> None:
    raw = bytearray(make_zip(tmp_path / "a.zip", {"app": b"1"}).read_bytes())
    at = raw.rfind(b"PK\x01\x02")
    raw[at + 24 : at + 28] = struct.pack("<L", 0xFFFFFFF0)
    (tmp_path / "bomb.zip").write_bytes(raw)
    refused(tmp_path, tmp_path / "bomb.zip", "cannot")


def test_an_encrypted_entry_is_refused_by_name(tmp_path: Path) -> None:
    raw = bytearray(make_zip(tmp_path / "a.zip", {"bin/app": b"1"}).read_bytes())
    raw[6] |= 1
    raw[raw.rfind(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(raw)
    refused(tmp_path, tmp_path / "locked.zip", "bin/app")


@pytest.mark.parametrize("sha256", ["", "../../ca/ca-key.pem", "0" * 64, "A" * 64, "0" * 63 + "/"])
def test_only_contents_are_given_out(tmp_path: Path, sha256: str) -> None:
    assert PackageStore(tmp_path).path(sha256) is None


def test_what_a_power_cut_left_half_taken_in_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    store = tmp_path / "store"
    PackageStore(store).build(make_zip(tmp_path / "a.zip", {"app": b"1.1"}), LABEL)
    whole = sorted(path for path in store.rglob("*") if path.is_file())
    (store / ".0123456789abcdef" / "unpacked").mkdir(parents=True)
    (store / ".0123456789abcdef" / "content.zip").write_bytes(b"half of it")
    (store / "blobs" / ".fedcba9876543210").write_bytes(b"half of it")
    PackageStore(store)
    assert sorted(path for path in store.rglob("*") if path.is_file()) == whole
    assert not (store / ".0123456789abcdef").exists()
