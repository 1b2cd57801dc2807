"""Packages that were signed though they are bad: refused, with nothing written outside staging.

The coordinator would not build them; here they are signed all the same, served over real HTTPS,
and taken in as a stage step does. What each entry may be is judged in tests/steps/test_extract.py.
"""

import hashlib
import io
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from agent.steps.apply.staging import manifest_of, unpack
from agent.steps.table import Refused, Work
from agent.wire.contract import Refusal
from agent.wire.manifest import FileEntry, Manifest, write_manifest
from coordinator.releases.packages import Label, manifest_name
from tests.trust.office import Office
from tests.trust.workstation import Workstation

CONTENT = b"evil"
PATHS = {
    "zip-slip": "../evil",
    "zip-slip further down": "a/../../evil",
    "an absolute path": "/tmp/evil",
    "a drive": "C:/evil",
    "a share": "//server/share/evil",
    "a share, backwards": "\\\\server\\share\\evil",
    "a stream beside a file": "app.exe:evil",
    "a device": "a/CON",
    "a device with an ending": "nul.txt",
    "a trailing dot": "a.exe.",
    "a trailing space": "b ",
    "a path longer than any system's": "/".join(["x" * 99] * 330),
}
TWINS = {
    "case-twins": ("App.exe", "app.EXE"),
    "one path twice": ("app", "app"),
    "a file and a folder": ("app", "app/evil"),
}


def _entry(path: str) -> FileEntry:
    return FileEntry(path, 0o644, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def _zip(entries: list[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    raw = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # zipfile warns of a name that is there twice
        for info, content in entries:
            archive.writestr(info, content)
    return raw.getvalue()


def _info(name: str, mode: int = 0, attributes: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.compress_type = (mode << 16) | attributes, zipfile.ZIP_DEFLATED
    return info


def _nested(depth: int) -> bytes:
    """Return a zip of sixteen zips of sixteen zips..., of zeros at the last."""
    content = bytes(4_000_000)
    for _ in range(depth):
        content = _zip([(_info(f"lib{at}.zip"), content) for at in range(16)])
    return content


ENTRIES = {
    "an entry that leads out": [(_info("../evil"), CONTENT)],
    "an entry of an absolute path": [(_info("/tmp/evil"), CONTENT)],
    "an entry that is not listed": [(_info("evil"), CONTENT)],
    "an entry twice": [(_info("app"), CONTENT)],
    "an entry's case-twin": [(_info("APP"), CONTENT)],
    "a link": [(_info("app", stat.S_IFLNK | 0o777), b"/etc/passwd")],
    "a pipe": [(_info("app", stat.S_IFIFO | 0o644), b"")],
    "a junction": [(_info("app", 0, 0x400), b"")],
    "a bomb": [(_info("bomb"), bytes(50_000_000))],
    "zips in zips": [(_info("42.zip"), _nested(2))],
    "a hundred thousand entries": [(_info(f"e/{at}"), b"") for at in range(100_000)],
}


class Signed:
    """A host, and a coordinator whose signers sign anything."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.host = Workstation(office)

    def work(self, files: list[FileEntry], content: bytes) -> Work:
        """Sign and serve a package; return what a stage step of it is given."""
        sha256 = hashlib.sha256(content).hexdigest()
        manifest = Manifest(
            "standin", "1.1", "workstation", "linux", sha256, len(content), tuple(files)
        )
        path = self.office.data / "packages" / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        label = Label("standin", "1.1", "workstation", "linux")
        target = self.office.repository.add(manifest_name(label), write_manifest(manifest))
        self.office.publish()
        work = self.host.work(manifest)
        work.params = replace(work.params, package=target)
        return cast("Work", work)

    def there(self) -> set[Path]:
        """Return all that lies about, but for the agent's own downloads and what is signed."""
        own = (self.host.state / "downloads", self.host.state / "tuf", self.office.data)
        every = self.office.folder.parent.rglob("*")
        return {path for path in every if not any(path.is_relative_to(folder) for folder in own)}


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Signed]:
    office = Office(tmp_path / "office")
    with office.open():
        signed = Signed(office)
        with signed.host.https:
            yield signed


def is_refused(
    signed: Signed, work: Work, why: tuple[Refusal, ...], listed: Callable[[Work], Manifest]
) -> None:
    before = signed.there()
    with pytest.raises(Refused) as refused:
        unpack(work, listed(work))
    assert refused.value.refusal in why
    staging = signed.host.into.parent
    assert {path for path in signed.there() - before if path != staging} == set()


def _listed(work: Work) -> Manifest:
    assert work.params.package is not None
    return work.packages.manifest(work.params.package)


@pytest.mark.parametrize("bad", list(PATHS))
def test_a_signed_list_with_a_bad_path_is_refused(signed: Signed, bad: str) -> None:
    path = PATHS[bad]
    work = signed.work([_entry("app"), _entry(path)], _zip([(_info("app"), CONTENT)]))
    is_refused(signed, work, (Refusal.PACKAGE_MISMATCH, Refusal.NOT_SIGNED), manifest_of)


@pytest.mark.parametrize("bad", list(TWINS))
def test_a_signed_list_of_paths_that_are_one_is_refused(signed: Signed, bad: str) -> None:
    work = signed.work([_entry(path) for path in TWINS[bad]], _zip([(_info("app"), CONTENT)]))
    is_refused(signed, work, (Refusal.PACKAGE_MISMATCH,), manifest_of)


@pytest.mark.parametrize("bad", list(ENTRIES))
def test_a_signed_zip_with_a_bad_entry_is_refused(signed: Signed, bad: str) -> None:
    content = _zip([(_info("app"), CONTENT), *ENTRIES[bad]])
    work = signed.work([_entry("app")], content)
    is_refused(signed, work, (Refusal.PACKAGE_MISMATCH,), _listed)


def test_a_signed_package_that_is_not_bad_is_taken(signed: Signed) -> None:
    work = signed.work([_entry("app")], _zip([(_info("app"), CONTENT)]))
    unpack(work, _listed(work))
    assert signed.host.has() == {"app": CONTENT}
