"""The stand-in's programs are what they say: an app that can be closed, updated and proven."""

import os
import signal
import subprocess
import zipfile
from pathlib import Path

import pytest

from agent.wire.profile_reader import read_profile
from coordinator.standin.make_release import release_files, write_zip
from tests.standin.world import SCRIPTS, World, end
from tests.until import until


def test_a_service_manager_answers_with_its_version_and_what_it_read(world: World) -> None:
    desk = world.desks[0]
    desk.open_manager()
    answer = desk.ask()
    assert answer["version"] == "1.0"
    assert len(answer["prefs"]) == len(answer["certificate"]) == 64


def test_a_service_manager_that_is_quit_says_so_and_leaves_its_port(world: World) -> None:
    desk = world.desks[0]
    manager = desk.open_manager()
    manager.terminate()
    assert end(manager) == ""
    assert manager.returncode == 0
    assert desk.has_said("close", manager.pid)
    again = desk.open_manager()
    assert desk.ask()["pid"] == again.pid


@pytest.mark.parametrize(
    "lost", ["certs/server.pem", "prefs/marie.json prefs/paul.json", "config/app.ini", "VERSION"]
)
def test_a_service_manager_does_not_start_without_what_an_update_must_carry_over(
    world: World, lost: str
) -> None:
    desk = world.desks[0]
    for path in lost.split():
        (desk.folder / path).unlink()
    manager = desk.run("servicemanager.py")
    complaint = end(manager)
    assert manager.returncode == 1
    assert complaint.startswith("cannot start: ")
    assert desk.lines() == []


def test_a_second_service_manager_finds_the_port_taken(world: World) -> None:
    desk = world.desks[0]
    desk.open_manager()
    second = desk.run("servicemanager.py")
    assert f"cannot start: port {desk.port}" in end(second)
    assert second.returncode == 1


def test_a_client_saves_its_document_and_says_that_it_closes(world: World) -> None:
    desk = world.desks[0]
    client = desk.open_app("paul")
    desk.close()
    assert client.returncode == 0
    words = [[line[0], *line[3:]] for line in desk.lines()]
    assert words == [["open", "1.0", "client", "paul"], ["close", "1.0", "client", "paul"]]
    draft = (desk.folder / "data" / "paul.txt").read_text("utf-8").splitlines()
    assert [entry.split()[0] for entry in draft] == ["opened", "saved"]


def test_a_stubborn_client_closes_only_by_force_and_then_says_nothing(world: World) -> None:
    desk = world.desks[0]
    client = desk.open_app("paul", "--stubborn")
    client.terminate()
    client.send_signal(signal.SIGCONT)
    assert client.poll() is None
    client.kill()
    end(client)
    assert not desk.has_said("close", client.pid)


def test_an_updater_says_that_it_opens_and_that_it_closes(world: World) -> None:
    desk = world.desks[0]
    updater = desk.run("updater.py")
    until(lambda: desk.has_said("open", updater.pid), what="the updater opens")
    desk.close()
    assert updater.returncode == 0
    assert [[line[0], *line[3:]] for line in desk.lines()] == [
        ["open", "1.0", "updater", "-"],
        ["close", "1.0", "updater", "-"],
    ]


def test_a_copied_client_still_writes_the_evidence_of_the_app_it_belongs_to(
    world: World, tmp_path: Path
) -> None:
    desk = world.desks[0]
    copied = tmp_path / "elsewhere.py"
    copied.write_bytes((desk.folder / "officeapp.py").read_bytes())
    command = ["python3", "-I", str(copied), "paul", "--home", str(desk.folder)]
    client = subprocess.Popen(command, stderr=subprocess.PIPE)
    desk.processes.append(client)
    until(lambda: desk.has_said("open", client.pid))
    desk.close()


def test_programs_start_by_their_own_name_without_an_interpreter_named(world: World) -> None:
    desk = world.desks[0]
    program = desk.folder / "servicemanager.py"
    assert os.access(program, os.X_OK)
    desk.processes.append(subprocess.Popen([str(program)], stderr=subprocess.PIPE))
    until(lambda: desk.lines() != [], what="the service manager opens")
    assert desk.ask()["version"] == "1.0"


def test_a_release_is_some_two_hundred_files_and_twenty_megabytes_and_can_be_made_again(
    releases: Path, tmp_path: Path
) -> None:
    files = list(release_files("1.1"))
    assert len(files) == 200
    assert 20e6 < sum(len(content) for _, _, content in files) < 22e6
    write_zip(tmp_path / "again.zip", release_files("1.1"))
    assert (tmp_path / "again.zip").read_bytes() == (releases / "1.1.zip").read_bytes()


def test_a_release_holds_nothing_that_belongs_to_a_host(releases: Path) -> None:
    with zipfile.ZipFile(releases / "1.1.zip") as package:
        tops = {name.split("/")[0] for name in package.namelist()}
    assert tops == {"VERSION", "officeapp.py", "servicemanager.py", "updater.py", "lib"}


def test_the_stand_in_has_a_profile_that_can_be_read() -> None:
    profile = read_profile((SCRIPTS / "profile.toml").read_text("utf-8"), "profile.toml")
    assert profile.app.programs == ("./officeapp.py",)
    assert profile.service_manager.programs == ("./servicemanager.py",)
    assert profile.updater_programs == ("./updater.py",)
