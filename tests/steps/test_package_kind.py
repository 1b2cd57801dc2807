"""A release that dpkg puts in place, for real: a small package below the test's own folder."""

import fcntl
import multiprocessing
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.steps.apply import repack
from agent.steps.apply_release import apply_release, delete_old, put_old_back, recover
from agent.steps.back_up import prove_as_it_was
from agent.steps.stage import unstage
from agent.steps.table import Failed, Refused
from agent.wire.contract import Refusal, StepName
from tests.steps.bench import manifest_of, release, snapshot
from tests.steps.packaged import PackagedHost, dpkg_tool, packaged_host
from tests.until import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may install packages")
_STEP = StepName.APPLY_RELEASE
_NOT_THE_PACKAGES = ("prefs/user.ini", "certs/server.pem", "data/old.db")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[PackagedHost]:
    with packaged_host(tmp_path) as made:
        yield made


def test_the_package_is_installed_by_dpkg_and_its_configuration_kept(host: PackagedHost) -> None:
    host.ship(host.deb("1.1", conf=b"shipped with 1.1"))

    work = host.applied()

    assert host.status() == ("1.1", True)
    assert work.facts["app_version"] == "1.1"
    assert host.conffile.read_bytes() == b"changed by the administrator"
    assert (host.bench.app / "lib/code.bin").read_bytes() == release("1.1")["lib/code.bin"]
    for path in _NOT_THE_PACKAGES:
        assert (host.bench.app / path).exists()


def test_doing_it_twice_changes_nothing(host: PackagedHost) -> None:
    host.ship(host.deb("1.1", scripts={"postinst": f"echo run >> {host.root}/runs"}))
    host.applied()

    host.run(apply_release)

    assert (host.root / "runs").read_text() == "run\n"


def test_undo_is_the_old_package_its_configuration_and_the_folder_byte_for_byte(
    host: PackagedHost,
) -> None:
    before = snapshot(host.bench.app)
    conffile = snapshot(host.conffile.parent)
    spoil = f"echo spoiled > {host.conffile}; echo spoiled > {host.bench.app}/prefs/user.ini"
    host.ship(host.deb("1.1", conf=b"shipped with 1.1", scripts={"postinst": spoil}))
    host.applied()
    assert snapshot(host.bench.app) != before

    host.run(put_old_back)
    work = host.run(put_old_back)

    assert host.status() == ("1.0", True)
    assert snapshot(host.bench.app) == before
    assert snapshot(host.conffile.parent) == conffile
    assert work.facts["app_version"] == "1.0"
    prove_as_it_was(host.bench.work(StepName.BACK_UP))


def test_after_an_undo_it_can_be_done_again_and_tidied(host: PackagedHost) -> None:
    host.ship(host.deb("1.1"))
    host.applied()
    host.run(put_old_back)
    host.applied()
    after = snapshot(host.bench.app)

    for _ in range(2):
        host.run(delete_old)
        unstage(host.bench.work(StepName.STAGE))
    host.run(recover)

    assert host.status() == ("1.1", True)
    assert snapshot(host.bench.app) == after
    assert not list(host.bench.folders.incoming.parent.iterdir())


def test_the_old_package_is_packed_again_with_all_that_dpkg_knows_of_it(
    host: PackagedHost,
) -> None:
    work = host.bench.work(_STEP)

    repack.repack(work)

    packed = host.root / "unpacked"
    subprocess.run(["dpkg-deb", "-R", repack.kept_package(work), packed], check=True)
    control = (packed / "DEBIAN/control").read_text()
    assert f"Package: {host.name}\n" in control
    assert "Description: a test\n of Roundsman\n" in control
    assert "Status:" not in control
    assert "Conffiles:" not in control
    assert (packed / "DEBIAN/conffiles").read_text() == f"{host.conffile}\n"
    code = packed / str(host.bench.app / "lib/code.bin")[1:]
    assert code.stat().st_mode & 0o777 == 0o640
    assert (packed / str(host.conffile)[1:]).read_bytes() == b"changed by the administrator"
    assert not (packed / str(host.bench.app)[1:] / "prefs/user.ini").exists()  # not the package's


def test_a_configuration_file_that_was_deleted_does_not_come_back(host: PackagedHost) -> None:
    host.conffile.unlink()
    host.ship(host.deb("1.1", conf=b"shipped with 1.1"))
    host.applied()

    host.run(put_old_back)

    assert host.status() == ("1.0", True)


def test_an_installation_that_fails_is_told_with_dpkgs_words_and_undone(
    host: PackagedHost,
) -> None:
    before = snapshot(host.bench.app)
    host.ship(host.deb("1.1", scripts={"postinst": "exit 7"}))

    with pytest.raises(Failed, match=r"dpkg ends with code 1: it says"):
        host.applied()

    assert host.status() == ("1.1", False)
    host.run(put_old_back)
    assert host.status() == ("1.0", True)
    assert snapshot(host.bench.app) == before


def test_while_another_program_uses_dpkg_it_is_refused_and_nothing_changed(
    host: PackagedHost,
) -> None:
    before = snapshot(host.bench.app)
    host.ship(host.deb("1.1"))
    host.bench.profile = replace(
        host.bench.profile, apply=replace(host.bench.profile.apply, limit_seconds=40.0)
    )
    host.ready()
    with Path("/var/lib/dpkg/lock-frontend").open("r+b") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        with pytest.raises(Refused, match="another program uses dpkg") as refused:
            host.run(apply_release)

    assert refused.value.refusal is Refusal.RETRY_LATER
    assert host.status() == ("1.0", True)
    assert snapshot(host.bench.app) == before
    host.run(apply_release)
    assert host.status() == ("1.1", True)


@pytest.mark.parametrize("script", ["preinst", "postinst"])
def test_an_agent_that_is_killed_while_dpkg_runs_comes_back_to_the_old_package(
    host: PackagedHost, script: str
) -> None:
    before = snapshot(host.bench.app)
    host.ship(host.deb("1.1", scripts={script: f"echo $$ > {host.root}/pid; sleep 60"}))
    host.ready()
    agent = multiprocessing.get_context("fork").Process(target=lambda: host.run(apply_release))
    agent.start()
    told = host.root / "pid"
    until(lambda: told.exists() and told.read_text().strip() != "", 60, "dpkg runs")

    agent.kill()
    agent.join()
    gone = Path("/proc") / told.read_text().strip()
    until(lambda: not gone.exists(), 60, "dpkg has ended")

    assert host.status() != ("1.0", True)
    host.run(recover)
    assert host.status() == ("1.0", True)
    assert snapshot(host.bench.app) == before


def test_a_recovery_before_dpkg_was_run_changes_nothing(host: PackagedHost) -> None:
    host.ship(host.deb("1.1"))
    host.ready()

    host.run(recover)
    host.run(put_old_back)

    assert host.status() == ("1.0", True)


def test_a_package_of_another_name_is_refused(host: PackagedHost) -> None:
    host.ship(host.deb("1.1", name="another"))

    with pytest.raises(Refused, match=f"is another, the profile wants {host.name}"):
        host.ready()


@pytest.mark.parametrize("count", [0, 2])
def test_a_package_without_exactly_one_package_file_is_refused(
    host: PackagedHost, count: int
) -> None:
    host.ship(*[host.deb("1.1")] * count)
    host.bench.packages.the_manifest = manifest_of(
        {"readme": b"x"} | {f"client-{n}.deb": b"" for n in range(count)}
    )

    with pytest.raises(Refused, match=f"one .deb file, and holds {count}"):
        host.ready()


def test_what_is_no_package_file_is_refused(host: PackagedHost) -> None:
    host.bench.ship({"client.deb": b"not a package"})

    with pytest.raises(Failed, match=r"client.deb\": it is no Debian package"):
        host.ready()


def test_a_package_that_is_not_installed_is_refused(host: PackagedHost) -> None:
    host.ship(host.deb("1.1"))
    host.ready()
    dpkg_tool("--remove", "--force-all", host.name)
    (host.bench.app / "version.txt").write_text("app=1.0")

    with pytest.raises(Refused, match="is not installed whole"):
        host.run(apply_release)
