"""On a real agent: what runs there is drafted, and a signed profile is tried for real."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.wire.profile_reader import read_profile
from coordinator.cli.demo_office import APP
from tests.faults.ledger import cordon_of
from tests.faults.office import FaultOffice, office, opened
from tests.until import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("uncounted")]


def _tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return every file of a folder: which it is, when it was changed, what is in it."""
    return {
        str(file.relative_to(folder)): (
            file.stat().st_ino,
            file.stat().st_mtime_ns,
            file.read_bytes(),
        )
        for file in folder.rglob("*")
        if file.is_file() and "data" not in file.parts  # people work in there
    }


def test_what_runs_on_a_host_becomes_a_draft(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("work"))
    with office(tmp_path, hosts=1) as made:
        made.begin()
        (host,) = made.hosts
        command = [sys.executable, "-I", str(host.folder / "officeapp.py"), "marie"]
        inside = os.environ | {"XDG_SESSION_ID": "c7"}
        with subprocess.Popen(command, env=inside, stdout=subprocess.DEVNULL) as shown:
            until(lambda: _seen(made, str(host.folder)), 30, "it is seen")
            drafted = made.typed(
                "profile", "record", "PC-01", "--name", "ours", "--folder", str(host.folder)
            )
            shown.kill()
        assert drafted.returncode == 0, drafted.stderr
        profile = read_profile(Path("ours.toml").read_text("utf-8"), "ours.toml")
        assert profile.app.folders == (str(host.folder),)
        assert "./officeapp.py" in profile.app.programs + profile.service_manager.programs
        assert made.typed("profile", "check", "ours.toml").returncode == 0


def _seen(made: FaultOffice, folder: str) -> bool:
    said = made.roundsman("profile", "record", "PC-01", "--name", "other")
    Path("other.toml").unlink(missing_ok=True)
    (one,) = [c for c in said["candidates"] if c["folder"] == folder] or [{"session": False}]
    return bool(one["session"])


def test_a_profile_is_tried_for_real_and_nothing_is_updated(tmp_path: Path) -> None:
    with office(tmp_path, hosts=1) as made:
        made.begin()
        (host,) = made.hosts
        app = opened(host, host.open_app("marie"))
        before = _tree(host.folder)

        said = made.typed("profile", "try", "PC-01", "--app", APP, "--grace", "1", "--yes")

        assert said.returncode == 0, said.stdout + said.stderr
        assert f"the profile of {APP} works on PC-01" in said.stdout
        assert app.wait(10) is not None
        assert _tree(host.folder) == before
        assert not (host.state / "backups").exists() or not any((host.state / "backups").iterdir())
        until(lambda: (cordon_of(host.state) or {"mode": "none"})["mode"] == "none", 20)
        assert opened(host, host.open_app("marie")).poll() is None
