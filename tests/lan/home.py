"""Makes a coordinator once, ready to be copied: keys, the app's profile, a signed release, tokens.

usage: unshare --net python -m tests.lan.home FOLDER ADDRESS SIZE...   (where hosts will find it)

The daemon runs meanwhile in that network of its own, so that many can do this at the same time.
FOLDER gets `coordinator`, `operator`, `releases` and `tokens.json`, by who lets a host in.
"""

import atexit
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path

from coordinator.access import read_access
from coordinator.api.asks import PackageAsk, ProfileAsk, TokenAsk
from coordinator.api.client import Client
from coordinator.cli.demo_processes import end, spawn
from coordinator.fleet.enrolment_book import Approval
from coordinator.settings import HTTPS_PORT, Settings
from coordinator.setup import set_up
from coordinator.signing import found_key, sign_list
from coordinator.standin.make_release import Size, release_files, write_folder, write_zip
from tests.lan.app import APP, NEW, OLD
from tests.until import until

PASSPHRASE = "the office in the box keeps no secrets"
PROFILE = Path(__file__).with_name("lobapp.toml")
_MOST_HOSTS = 100


@functools.cache
def ready_home(address: str, size: Size) -> Path:
    """Return the folder, made at the first call in this process; it is there to be copied."""
    folder = Path(tempfile.mkdtemp(prefix="roundsman-lan-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    command = ["unshare", "--net", sys.executable, "-m", __spec__.name, str(folder), address]
    figures = map(str, astuple(size))
    made = subprocess.run(
        [*command, *figures], capture_output=True, text=True, timeout=120, check=False
    )
    if made.returncode:
        raise RuntimeError(f"the coordinator's home cannot be made: {made.stderr[-2000:].strip()}")
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Return what tells `roundsman` that its things are in this folder."""
    return {
        "ROUNDSMAN_HOME": str(folder / "coordinator"),
        "ROUNDSMAN_CONFIG": str(folder / "operator"),
    }


def _make(folder: Path, address: str, size: Size) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    _write_releases(folder / "releases", size)
    settings = Settings(home=folder / "coordinator", addresses=(address,))
    set_up(settings, folder / "operator", "root", lambda: PASSPHRASE)
    command = [sys.executable, "-m", "coordinator.cli", "serve"]
    daemon = spawn(command, folder / "coordinator.log", os.environ | environment(folder))
    try:
        until(lambda: _answers() or daemon.poll() is not None, 60, "the coordinator answers")
        assert daemon.poll() is None, (folder / "coordinator.log").read_text("utf-8")
        with Client(read_access(folder / "operator")) as client:
            _publish(client, folder)
            tokens = {how.value: _token(client, how) for how in Approval}
        (folder / "tokens.json").write_text(json.dumps(tokens), "utf-8")
    finally:
        end([daemon])


def _write_releases(folder: Path, size: Size) -> None:
    folder.mkdir()
    write_folder(OLD, folder / OLD, size)
    write_zip(folder / f"{NEW}.zip", release_files(NEW, size))


def _answers() -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", HTTPS_PORT), 1):
        return True
    return False


def _publish(client: Client, folder: Path) -> None:
    client.add_profile(ProfileAsk(text=PROFILE.read_text("utf-8"), file=PROFILE.name))
    client.add_package(PackageAsk(app=APP, version=NEW), folder / "releases" / f"{NEW}.zip")
    key = found_key(None, folder / "coordinator")
    client.publish(sign_list(client.unsigned().unsigned, key, PASSPHRASE))


def _token(client: Client, how: Approval) -> str:
    return client.token(TokenAsk(group="office", uses=_MOST_HOSTS, approval=how)).token


if __name__ == "__main__":
    _make(Path(sys.argv[1]), sys.argv[2], Size(*map(int, sys.argv[3:])))
