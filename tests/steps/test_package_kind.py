"""A release that dpkg puts in place, for real: a small package below the test's own folder."""

import fcntl
import multiprocessing
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from agent.steps.apply import dpkg, repack
from agent.steps.apply_release import apply_release, delete_old, put_old_back, recover
from agent.steps.back_up import back_up, prove_as_it_was
from agent.steps.stage import stage, unstage
from agent.steps.table import Failed, Refused
from agent.wire.contract import Refusal, StepName
from agent.wire.profile import Apply, ApplyKind, VersionKind, VersionReader
from tests.steps.bench import Bench, SmallWork, manifest_of, release, snapshot, write_tree
from tests.until import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may install packages")
_STEP = StepName.APPLY_RELEASE
_LOCK = Path("/tmp/roundsman-test-dpkg.lock")
_NOT_THE_PACKAGES = ("prefs/user.ini", "certs/server.pem", "data/old.db")


class _Host:
    """A bench whose app is an installed Debian package of its own name."""

    def __init__(self, root: Path) -> None:
        self.name = f"roundsman-test-{secrets.token_hex(4)}"
        self.root = root
        self.bench = Bench(root)
        self.conffile = root / "etc" / "app.conf"
        self.bench.profile = replace(
            self.bench.profile,
            apply=Apply(ApplyKind.PACKAGE, package=self.name, limit_seconds=60.0),
            app=replace(
                self.bench.profile.app, version=VersionReader(VersionKind.DPKG, self.name)
            ),
            service_manager=replace(self.bench.profile.service_manager, version=None),
        )
        _dpkg("--install", str(self.deb("1.0", conf=b"shipped with 1.0")))
        self.conffile.write_bytes(b"changed by the administrator")
        (self.bench.app / "lib/code.bin").chmod(0o640)

    def deb(
        self, version: str, *, conf: bytes = b"", scripts: Mapping[str, str] = {}, name: str = ""
    ) -> Path:
        """Build a package of this app."""
        tree = self.root / "build" / secrets.token_hex(4)
        write_tree(tree / str(self.bench.app)[1:], release(version))
        if conf:
            write_tree(tree / str(self.conffile.parent)[1:], {"app.conf": conf})
        about = f"Package: {name or self.name}\nVersion: {version}\nArchitecture: all\n"
        about += "Maintainer: nobody <nobody@localhost>\nDescription: a test\n of Roundsman\n"
        write_tree(tree / "DEBIAN", {"control": about.encode()})
        if conf:
            write_tree(tree / "DEBIAN", {"conffiles": f"{self.conffile}\n".encode()})
        for script, code in scripts.items():
            write_tree(tree / "DEBIAN", {script: f"#!/bin/sh\nset -e\n{code}\n".encode()})
            (tree / "DEBIAN" / script).chmod(0o755)
        file = self.root / f"{tree.name}.deb"
        subprocess.run(["dpkg-deb", "-Znone", "-b", tree, file], check=True, capture_output=True)
        return file

    def ship(self, *debs: Path) -> None:
        self.bench.ship({f"client-{n}.deb": deb.read_bytes() for n, deb in enumerate(debs)})

    def ready(self) -> None:
        stage(self.bench.work(StepName.STAGE))
        back_up(self.bench.work(StepName.BACK_UP))

    def applied(self) -> SmallWork:
        self.ready()
        work = self.bench.work(_STEP)
        apply_release(work)
        return work

    def run(self, handler: object) -> SmallWork:
        work = self.bench.work(_STEP)
        handler(work)  # type: ignore[operator]
        return work

    def status(self) -> tuple[str, bool]:
        found = dpkg.installed(self.bench.work(_STEP), self.name)
        return found.version, found.is_whole

    def remove(self) -> None:
        _dpkg("--purge", "--force-all", self.name)
        self.bench.close()


def _dpkg(*arguments: str) -> None:
    subprocess.run(["dpkg", *arguments], check=True, capture_output=True)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[_Host]:
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # dpkg serves one at a time
        made = _Host(tmp_path)
        yield made
        made.remove()


def test_the_package_is_installed_by_dpkg_and_its_configuration_kept(host: _Host) -> None:
    host.ship(host.deb("1.1", conf=b"shipped with 1.1"))

    work = host.applied()

    assert host.status() == ("1.1", True)
    assert work.facts["app_version"] == "1.1"
    assert host.conffile.read_bytes() == b"changed by the administrator"
    assert (host.bench.app / "lib/code.bin").read_bytes() == release("1.1")["lib/code.bin"]
    for path in _NOT_THE_PACKAGES:
        assert (host.bench.app / path).exists()


def test_doing_it_twice_changes_nothing(host: _Host) -> None:
    host.ship(host.deb("1.1", scripts={"postinst": f"echo run >> {host.root}/runs"}))
    host.applied()

    host.run(apply_release)

    assert (host.root / "runs").read_text() == "run\n"


def test_undo_is_the_old_package_its_configuration_and_the_folder_byte_for_byte(
    host: _Host,
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


def test_after_an_undo_it_can_be_done_again_and_tidied(host: _Host) -> None:
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


def test_the_old_package_is_packed_again_with_all_that_dpkg_knows_of_it(host: _Host) -> None:
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


def test_a_configuration_file_that_was_deleted_does_not_come_back(host: _Host) -> None:
    host.conffile.unlink()
    host.ship(host.deb("1.1", conf=b"shipped with 1.1"))
    host.applied()

    host.run(put_old_back)

    assert host.status() == ("1.0", True)


def test_an_installation_that_fails_is_told_with_dpkgs_words_and_undone(host: _Host) -> None:
    before = snapshot(host.bench.app)
    host.ship(host.deb("1.1", scripts={"postinst": "exit 7"}))

    with pytest.raises(Failed, match=r"dpkg ends with code 1: it says"):
        host.applied()

    assert host.status() == ("1.1", False)
    host.run(put_old_back)
    assert host.status() == ("1.0", True)
    assert snapshot(host.bench.app) == before


def test_while_another_program_uses_dpkg_it_is_refused_and_nothing_changed(host: _Host) -> None:
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
    host: _Host, script: str
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


def test_a_recovery_before_dpkg_was_run_changes_nothing(host: _Host) -> None:
    host.ship(host.deb("1.1"))
    host.ready()

    host.run(recover)
    host.run(put_old_back)

    assert host.status() == ("1.0", True)


def test_a_package_of_another_name_is_refused(host: _Host) -> None:
    host.ship(host.deb("1.1", name="another"))

    with pytest.raises(Refused, match=f"is another, the profile wants {host.name}"):
        host.ready()


@pytest.mark.parametrize("count", [0, 2])
def test_a_package_without_exactly_one_package_file_is_refused(host: _Host, count: int) -> None:
    host.ship(*[host.deb("1.1")] * count)
    host.bench.packages.the_manifest = manifest_of(
        {"readme": b"x"} | {f"client-{n}.deb": b"" for n in range(count)}
    )

    with pytest.raises(Refused, match=f"one .deb file, and holds {count}"):
        host.ready()


def test_what_is_no_package_file_is_refused(host: _Host) -> None:
    host.bench.ship({"client.deb": b"not a package"})

    with pytest.raises(Failed, match=r"client.deb\": it is no Debian package"):
        host.ready()


def test_a_package_that_is_not_installed_is_refused(host: _Host) -> None:
    host.ship(host.deb("1.1"))
    host.ready()
    _dpkg("--remove", "--force-all", host.name)
    (host.bench.app / "version.txt").write_text("app=1.0")

    with pytest.raises(Refused, match="is not installed whole"):
        host.run(apply_release)
