"""After a rollout on real agents its backups are verified, rehearsed and restored, as typed."""

import shutil
from pathlib import Path

import pytest

from coordinator.cli.demo_processes import kill_below
from coordinator.cli.demo_workstation import Workstation
from tests.faults.ledger import cordon_of
from tests.faults.office import FaultOffice, office, opened
from tests.until import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("uncounted")]


def _mode(host: Workstation) -> object:
    cordon = cordon_of(host.state)
    return cordon and cordon["mode"]


def _version(folder: Path) -> str:
    return (folder / "VERSION").read_text().split()[0]


def _updated(made: FaultOffice) -> str:
    made.begin("1.1")
    rollout = made.start_rollout("1.1")
    with made.client() as client:
        until(lambda: client.rollout(rollout).state.is_final, 120, "the rollout ends")
        assert client.rollout(rollout).state == "done"
    return rollout


def test_after_a_rollout_its_backup_is_verified_rehearsed_and_restored(tmp_path: Path) -> None:
    with office(tmp_path, hosts=1) as made:
        rollout = _updated(made)
        (host,) = made.hosts
        (listed,) = made.roundsman("backup", "list", "PC-01")
        assert (listed["name"], listed["rollout"], listed["version"]) == (rollout, "r1", "1.0")
        assert listed["complete"]
        verified = made.roundsman("backup", "verify", "PC-01")
        assert (verified["verdict"], verified["facts"]["damaged"]) == ("done", "0")
        assert int(verified["facts"]["bytes"]) == listed["bytes"]
        rehearsed = made.roundsman("backup", "restore", "PC-01", "--rehearse")
        assert rehearsed["verdict"] == "done"
        assert _version(host.folder) == "app=1.1"

        opened(host, host.open_app("marie"))
        said = made.typed("backup", "restore", "PC-01", "--yes")
        assert said.returncode == 0, said.stderr
        assert "PC-01 is restored and open again" in said.stdout
        assert _version(host.folder) == "app=1.0"
        kept = [path for path in host.folder.parent.iterdir() if "_old." in path.name]
        assert [_version(path) for path in kept] == ["app=1.1"]
        assert str(kept[0]) in said.stdout
        until(lambda: _mode(host) == "none", 20, "it is open")
        assert opened(host, host.open_app("marie")).poll() is None


def test_an_app_that_was_deleted_is_brought_back(tmp_path: Path) -> None:
    with office(tmp_path, hosts=1) as made:
        _updated(made)
        (host,) = made.hosts
        kill_below(host.folder)
        shutil.rmtree(host.folder)

        said = made.typed("backup", "restore", "PC-01", "--yes")

        assert said.returncode == 0, said.stderr + said.stdout
        assert _version(host.folder) == "app=1.0"
        assert not list(host.folder.parent.glob("*_old.*"))


def test_a_flipped_bit_on_a_workstation_is_named_to_the_operator(tmp_path: Path) -> None:
    with office(tmp_path, hosts=1) as made:
        rollout = _updated(made)
        copy = made.hosts[0].state / "backups" / rollout / "tree" / "officeapp.py"
        content = bytearray(copy.read_bytes())
        content[7] ^= 1
        copy.write_bytes(content)
        for words in (("verify", "PC-01"), ("restore", "PC-01", "--rehearse")):
            said = made.typed("backup", *words)
            assert said.returncode == 1
            assert "officeapp.py" in said.stdout
        said = made.typed("backup", "restore", "PC-01", "--yes")
        assert said.returncode == 1
        assert "PC-01 could not restore the backup" in said.stdout
        assert _version(made.hosts[0].folder) == "app=1.1"


def test_a_workstation_that_leaves_the_version_of_its_group_stays_closed_until_the_next_rollout(
    tmp_path: Path,
) -> None:
    with office(tmp_path, hosts=2) as made:
        _updated(made)
        host = made.hosts[0]
        said = made.typed("backup", "restore", "PC-01", "--yes")
        assert said.returncode == 2
        assert "mixed versions: PC-02 has 1.1" in said.stderr
        assert "--leave-closed" in said.stderr

        said = made.typed("backup", "restore", "PC-01", "--yes", "--leave-closed")
        assert said.returncode == 0, said.stderr + said.stdout
        assert "PC-01 stays closed" in said.stdout
        assert _version(host.folder) == "app=1.0"
        assert _mode(host) == "sealed"

        said = made.typed("backup", "restore", "PC-01", "--yes")  # sealed already: it stays so
        assert said.returncode == 0, said.stderr + said.stdout
        assert _mode(host) == "sealed"

        rollout = made.start_rollout("1.1")
        with made.client() as client:
            until(lambda: client.rollout(rollout).state.is_final, 120, "the rollout ends")
            assert client.rollout(rollout).state == "done"
        assert _version(host.folder) == "app=1.1"
        until(lambda: _mode(host) == "none", 20, "it is open")
