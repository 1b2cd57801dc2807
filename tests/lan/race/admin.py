"""The tools an admin would take instead: Ansible and pyinfra, at the seat, over ssh.

They are installed in a virtual environment of their own, below `build/lan/peers`; nothing of the
project needs them.
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lan.app import NEW
from tests.lan.box import Box, Host
from tests.lan.race.ground import BASE
from tests.lan.settings import PROJECT

_VENV = PROJECT / "build/lan/peers"
_PEERS = Path(__file__).with_name("peers")
_PACKAGES = ("ansible-core>=2.19,<2.20", "pyinfra>=3.10,<4")
_KEY = BASE / "id_race"
_SSH = (
    "-o ControlMaster=auto -o ControlPersist=60s -o StrictHostKeyChecking=no "
    "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
)
_ANSIBLE = {
    "ANSIBLE_HOME": str(BASE / "ansible"),
    "ANSIBLE_HOST_KEY_CHECKING": "False",
    "ANSIBLE_PIPELINING": "1",
    "ANSIBLE_FORKS": "25",
    "ANSIBLE_SSH_ARGS": _SSH,
    "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
}
_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Taken:
    """What a contender took, in seconds."""

    seconds: float
    processor: float | None = None  # the controller's; None where it does the hosts' work too


class Admin:
    """Somebody at the seat who may log in everywhere by ssh, as root."""

    def __init__(self, box: Box, hosts: Sequence[Host]) -> None:
        self._seat = box.seat
        install()
        _let_in(hosts)

    def ansible(self, hosts: Sequence[Host], playbook: str) -> Taken:
        """Run a playbook on these hosts."""
        inventory = BASE / "hosts.ini"
        lines = (f"{h.name} ansible_host={h.ip} ansible_user=root" for h in hosts)
        key = f"ansible_ssh_private_key_file={_KEY}"
        inventory.write_text("[all]\n" + "".join(f"{line} {key}\n" for line in lines), "utf-8")
        command = [_program("ansible-playbook"), "-i", str(inventory), "-e", f"version={NEW}"]
        return self._timed([[*command, str(_PEERS / playbook)]])

    def pyinfra(self, hosts: Sequence[Host]) -> Taken:
        """Close the app everywhere, take the steps host after host, open it everywhere."""
        about = {
            "version": NEW,
            "ssh_user": "root",
            "ssh_key": str(_KEY),
            "ssh_strict_host_key_checking": "off",
        }
        inventory, steps = BASE / "hosts_of_pyinfra.py", BASE / "steps.py"
        inventory.write_text(f"hosts = {[(h.ip, about) for h in hosts]!r}\n", "utf-8")
        shutil.copy(_PEERS / "steps.pyinfra", steps)
        run = [_program("pyinfra"), "-y", str(inventory)]
        clients = ["lobclient@alice", "lobclient@bob"]
        return self._timed(
            [
                [*run, "exec", "--", "systemctl", "stop", *clients],
                [_program("pyinfra"), "-y", "--serial", str(inventory), str(steps)],
                [*run, "exec", "--", "systemctl", "start", *clients],
            ]
        )

    def _timed(self, commands: Sequence[Sequence[str]]) -> Taken:
        begun, used = time.monotonic(), _processor()
        with (BASE / "admin.log").open("a", encoding="utf-8") as log:
            for command in commands:
                settings = [f"{name}={value}" for name, value in _ANSIBLE.items()]
                done = self._seat.run("env", *settings, *command, check=False, seconds=_SECONDS)
                log.write(f"{' '.join(command)}\n{done.stdout}{done.stderr}\n")
                if done.returncode:
                    raise RuntimeError(f"{command[0]} cannot: {done.stdout[-1500:]}{done.stderr}")
        return Taken(time.monotonic() - begun, _processor() - used)


def install() -> None:
    """Have the peers in a virtual environment of their own, if they are not there yet."""
    if Path(_program("pyinfra")).exists() and Path(_program("ansible")).exists():
        return
    sys.stderr.write(f"installing {', '.join(_PACKAGES)} into {_VENV}\n")
    subprocess.run([sys.executable, "-m", "venv", str(_VENV)], check=True)
    pip = [_program("python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "--quiet"]
    subprocess.run([*pip, "install", *_PACKAGES], check=True)


def _program(name: str) -> str:
    return str(_VENV / "bin" / name)


def _let_in(hosts: Sequence[Host]) -> None:
    if not _KEY.exists():
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(_KEY)], check=True
        )
    public = _KEY.with_suffix(".pub").read_text("utf-8")
    for host in hosts:
        folder = host.root / "root/.ssh"
        folder.mkdir(mode=0o700, exist_ok=True)
        keys = os.open(folder / "authorized_keys", os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(keys, "w", encoding="utf-8") as file:
            file.write(public)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
