"""`roundsman serve`: it serves, and says in a sentence why when it cannot."""

import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from coordinator.settings import Settings, write_settings
from coordinator.store.database import DatabaseLock
from tests.api.real import copy_home
from tests.cli.terminal import Terminal
from tests.until import until


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def settings(template: Path, tmp_path: Path) -> Settings:
    """A coordinator of its own, on ports of its own, that nobody serves yet."""
    office = copy_home(template, tmp_path)
    made = Settings(
        home=tmp_path / "home",
        listen="127.0.0.1",
        link_port=_free_port(),
        https_port=_free_port(),
        addresses=("127.0.0.1",),
    )
    write_settings(made)
    office.address = f"127.0.0.1:{made.https_port}"
    office.write_access(tmp_path / "operator", office.access().token)
    office.database.dispose()
    return made


def _serve(settings: Settings, before: Sequence[str] = ()) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*before, sys.executable, "-m", "coordinator.cli", "serve"],
        env=os.environ | {"ROUNDSMAN_HOME": str(settings.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _cannot(settings: Settings) -> str:
    """Return what a `serve` says that cannot; its exit code is 2."""
    with _serve(settings) as process:
        _, said = process.communicate(timeout=50)
    assert process.returncode == 2, said
    assert said.startswith("error: ")
    assert "Traceback" not in said
    return said


def test_it_serves_until_it_is_told_to_stop(settings: Settings, terminal: Terminal) -> None:
    with _serve(settings) as process:
        try:
            until(lambda: terminal("health").code == 0, 40, "the coordinator answers")
            assert terminal("fleet list --json").json == []
            second = _cannot(settings)
            assert f"process {process.pid} already serves this database" in second
        finally:
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert f"{settings.log_folder / 'coordinator.log'}; Ctrl-C ends it" in said


def test_it_takes_as_many_open_files_as_it_may(settings: Settings, terminal: Terminal) -> None:
    few = ("sh", "-c", 'ulimit -Sn 512 && exec "$@"', "_")  # as a service is given at first
    with _serve(settings, few) as process:
        try:
            until(lambda: terminal("health").code == 0, 40, "the coordinator answers")
            now, most = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
    assert 512 < now <= most


@pytest.mark.parametrize("which", ["link_port", "https_port"])
def test_a_port_that_is_taken_is_named(settings: Settings, which: str) -> None:
    port = getattr(settings, which)
    with socket.create_server(("127.0.0.1", port)):
        said = _cannot(settings)
    assert f"cannot listen on port {port}" in said
    assert "mend: " in said


def test_a_database_that_another_daemon_holds_is_not_opened(settings: Settings) -> None:
    lock = DatabaseLock(settings.lock_file)
    lock.take()
    try:
        assert "already serves this database" in _cannot(settings)
    finally:
        lock.release()


def test_a_database_of_a_newer_release_is_not_touched(settings: Settings) -> None:
    with sqlite3.connect(settings.database_file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = settings.database_file.read_bytes()
    assert "newer release (schema 9999)" in _cannot(settings)
    assert settings.database_file.read_bytes() == before


def test_a_home_that_was_never_made_says_what_to_type(tmp_path: Path) -> None:
    assert "mend: roundsman init" in _cannot(Settings(home=tmp_path / "nowhere"))


def test_a_bad_setting_is_named(settings: Settings) -> None:
    settings.file.write_text("link_port = 'seven'\n")
    assert "link_port: must be a port" in _cannot(settings)
