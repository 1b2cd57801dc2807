"""The main job, from end to end, as a newcomer sees it: the command itself, in a process."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.wire.profile_reader import read_profile
from coordinator.cli.demo_drafts import own_home
from coordinator.cli.demo_processes import free_ports, processes_below
from tests.until import until

pytestmark = pytest.mark.timeout(300)
uncounted = pytest.mark.usefixtures("uncounted")

Json = dict[str, Any]
Ended = subprocess.CompletedProcess[str]


def demo(folder: Path, *words: str) -> tuple[int, Json]:
    command = [sys.executable, "-m", "coordinator.cli", "demo", "--json", "--keep", str(folder)]
    ended = subprocess.run([*command, *words], capture_output=True, check=False)
    assert not list(processes_below(folder)), "the demo leaves no process behind"
    assert ended.stdout, ended.stderr.decode()
    return ended.returncode, json.loads(ended.stdout)


def said_by(*words: str, environment: dict[str, str] | None = None) -> Ended:
    command = [sys.executable, "-m", "coordinator.cli", "demo", *words]
    given = os.environ | (environment or {})
    return subprocess.run(command, env=given, capture_output=True, check=False, text=True)


def states(said: Json) -> dict[str, str]:
    return {host["host"]: host["state"] for host in said["hosts"]}


def test_five_workstations_go_from_1_0_to_1_1(tmp_path: Path) -> None:
    folder = tmp_path / "office"
    code, said = demo(folder)
    assert (code, said["rollout"]["state"], said["violations"]) == (0, "done", [])
    for impatient in ("PC-04", "PC-05"):  # a service's recovery, and somebody who cannot wait
        assert '"closed a relaunch"' in _log_of(folder / impatient), impatient
    assert set(said["rollout"]) == {"id", "state", "seconds"}
    assert [h["host"] for h in said["hosts"]] == [f"PC-0{n}" for n in range(1, 6)]
    for host in said["hosts"]:
        assert set(host) == {"host", "state", "from", "to", "exclusive_seconds"}
        assert (host["state"], host["from"], host["to"]) == ("updated", "1.0", "1.1")
        assert host["exclusive_seconds"] > 0


def _log_of(host: Path) -> str:
    return (host / "agent" / "log" / "agent.log").read_text("utf-8")


@uncounted
def test_what_somebody_had_not_saved_is_kept_by_the_agent_and_the_home_is_left_as_it_was(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "office"
    code, said = demo(folder, "--hosts", "3")
    assert (code, said["violations"]) == (0, [])
    [draft] = said["drafts"]
    assert (draft["host"], draft["user"], draft["asked"]) == ("PC-02", "lea", True)
    assert draft["found"] == ["the agent's copy", "the app's own autosave"]
    profile = read_profile((folder / "office.toml").read_text("utf-8"), "office.toml")
    [pattern] = profile.close.autosave
    home = own_home()
    assert home is not None
    assert not (home / pattern.partition("/")[0]).exists()


@pytest.mark.parametrize("step", ["apply-release", "check-health"])
def test_a_workstation_that_fails_is_rolled_back_and_the_others_are_not(
    step: str, tmp_path: Path
) -> None:
    code, said = demo(tmp_path / "office", "--hosts", "3", "--fail", f"PC-02:{step}")
    assert (code, said["rollout"]["state"], said["violations"]) == (1, "partly-done", [])
    assert states(said) == {"PC-01": "updated", "PC-02": "skipped", "PC-03": "updated"}
    assert {h["host"]: h["to"] for h in said["hosts"]}["PC-02"] == "1.0"


def test_data_that_went_one_way_take_the_whole_office_back(tmp_path: Path) -> None:
    words = ("--hosts", "2", "--one-way-data", "--fail", "PC-02:check-health")
    code, said = demo(tmp_path / "office", *words)
    assert (code, said["rollout"]["state"], said["violations"]) == (1, "aborted", [])
    assert {host["to"] for host in said["hosts"]} == {"1.0"}


@pytest.mark.parametrize("way", ["stay", "installer"])
def test_a_release_is_put_in_place_in_other_ways_too(way: str, tmp_path: Path) -> None:
    code, said = demo(tmp_path / "office", "--hosts", "1", "--apply", way)
    assert (code, said["rollout"]["state"], said["violations"]) == (0, "done", [])


@uncounted
def test_a_coordinator_killed_mid_way_still_ends_well(tmp_path: Path) -> None:
    folder = tmp_path / "office"
    code, said = demo(folder, "--hosts", "3", "--kill-coordinator")
    assert (code, said["rollout"]["state"], said["violations"]) == (0, "done", [])
    serving = (folder / "coordinator" / "log" / "coordinator.log").read_text("utf-8")
    assert serving.count('"serving"') == 2, "it was killed and started again"


@uncounted
def test_an_app_opened_past_the_guard_is_reported(tmp_path: Path) -> None:
    code, said = demo(tmp_path / "office", "--hosts", "3", "--sabotage")
    assert code == 1
    kinds = {v["kind"] for v in said["violations"]}
    assert "open-elsewhere" in kinds
    assert kinds <= {"open-elsewhere", "open-here", "open-while-mixed"}
    assert all("intruder" in v["detail"] for v in said["violations"])


def test_ports_that_somebody_has_are_not_chosen() -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        chosen = free_ports(3)
    assert port not in chosen
    assert len(set(chosen)) == 3


def test_ports_that_another_demo_has_chosen_are_left_to_it() -> None:
    (port,) = free_ports(1)
    asked = f"from coordinator.cli.demo_processes import _is_ours; print(_is_ours({port}))"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True)
    assert said.stdout == b"False\n"


@pytest.mark.parametrize("fail", ["PC-09:apply-release", "PC-01:reboot", "nonsense"])
def test_a_failure_that_cannot_be_staged_is_refused_in_words(fail: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "coordinator.cli", "demo", "--fail", fail]
    ended = subprocess.run([*command, "--keep", str(tmp_path)], capture_output=True, check=False)
    assert ended.returncode == 2
    assert b"mend: --fail HOST:STEP" in ended.stderr


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    ended = said_by("--keep", str(tmp_path))
    assert ended.returncode == 2
    assert f"cannot work in {tmp_path}: it is not empty" in ended.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_a_disk_that_cannot_be_written_is_told_without_a_traceback() -> None:
    ended = said_by("--keep", "/proc/self/nowhere")
    assert ended.returncode == 2
    assert "error: cannot play the demo below /proc/self/nowhere: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_refused_demo_leaves_no_folder_behind(tmp_path: Path) -> None:
    ended = said_by("--fail", "nonsense", environment={"TMPDIR": str(tmp_path)})
    assert ended.returncode == 2
    assert list(tmp_path.iterdir()) == []


@uncounted
def test_ctrl_c_ends_the_demo_and_every_process_of_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "coordinator.cli", "demo", "--keep", str(tmp_path / "office")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until((tmp_path / "office" / "PC-05").exists, 60, "the apps are installed")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "the demo was interrupted before its end" in said
    assert not list(processes_below(tmp_path / "office"))
