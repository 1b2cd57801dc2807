"""A workstation whose disk is full while a release comes: it gets back what had come."""

import errno
from pathlib import Path
from typing import cast

import pytest

from agent.packages import SignedPackages
from agent.steps.table import Packages, Refused
from agent.wire.contract import Refusal, Target
from agent.wire.https import Https
from agent.wire.manifest import Manifest
from tests.trust.office import Office
from tests.trust.workstation import Workstation


class Full:
    """Packages that a disk takes only the beginning of."""

    def __init__(self, why: int) -> None:
        self._why = why

    def assemble(self, _manifest: Manifest, _ticket: str, _work: object, into: Path) -> bool:
        into.mkdir(parents=True)
        (into / "half").write_bytes(b"what had come")
        raise OSError(self._why, "the disk", str(into))


@pytest.mark.parametrize(
    ("why", "left"), [(errno.ENOSPC, False), (errno.EDQUOT, False), (errno.EIO, True)]
)
def test_on_a_full_disk_nothing_is_kept_of_a_release_that_is_not_whole(
    tmp_path: Path, why: int, left: bool
) -> None:
    with Office(tmp_path / "office").open() as office:
        host = Workstation(office)
        with host.https:
            manifest = host.release({"app": b"1.1"}, "1.1")
            work = host.work(manifest)
            work.packages = cast("Packages", Full(why))
            with pytest.raises(OSError, match="the disk"):
                host.unpack(manifest, work)
            assert host.into.with_name("incoming.part").exists() is left


class Unkept:
    """HTTPS whose answers the disk does not take."""

    def __init__(self, why: int) -> None:
        self._why = why

    def get_bytes(self, *_asked: object) -> bytes:
        raise OSError(self._why, "the disk", "/var/lib/roundsman/tuf/timestamp.json")


@pytest.mark.parametrize(
    ("why", "refusal"),
    [
        (errno.ENOSPC, Refusal.DISK_FULL),
        (errno.EDQUOT, Refusal.DISK_FULL),
        (errno.EIO, Refusal.NOT_SIGNED),
    ],
)
def test_a_full_disk_is_not_taken_for_a_package_that_is_not_signed(
    tmp_path: Path, why: int, refusal: Refusal
) -> None:
    with Office(tmp_path / "office").open() as office:
        state, host = office.enrol()
        packages = SignedPackages(state, host, cast("Https", Unkept(why)))
        with pytest.raises(Refused, match="the disk") as refused:
            packages.profile(Target("app/1.1.json", "ab" * 32))
        assert refused.value.refusal is refusal
