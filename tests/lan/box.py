"""An office in one machine: workstations at a switch, and the administrator's seat.

`Box(5)` is a context manager: inside it h1 to h5 are up, at 10.77.0.11 and so on. What an earlier
run with the same prefix left is ended first. Everything a host wrote goes with the box.
"""

import contextlib
import fcntl
import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from tests.lan.image import image
from tests.lan.machine import Disk, Machine
from tests.lan.network import Network, Port
from tests.lan.remains import clear, end_all, mount_groups
from tests.lan.settings import FOLDER, NET, PREFIX, SEAT

_FIRST = 10
"""The last part of h1's address is one more."""
_MOST = 244
_NAMES_LOCK = Path(f"/run/lock/roundsman-lan-{PREFIX}")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Host:
    """One workstation: Debian, systemd as PID 1, its own address and disk."""

    def __init__(self, port: Port, machine: Machine, network: Network) -> None:
        self.name = port.name
        self.root = machine.disk.root
        self.proc = machine.proc
        self.machine = machine
        self._port, self._network = port, network
        self._spawned: list[subprocess.Popen[bytes]] = []

    @property
    def ip(self) -> str:
        """Its address now."""
        return self._port.ip

    @property
    def leader(self) -> int:
        """Its PID 1 as this machine numbers it; 0 while it is off."""
        return self.machine.leader if self.is_on else 0

    @property
    def is_on(self) -> bool:
        """True while its PID 1 lives."""
        return self.machine.is_on

    def run(
        self,
        *command: str,
        user: str = "root",
        check: bool = True,
        text: str = "",
        seconds: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside to its end, without the network; `text` is what it reads."""
        inside = self.machine.inside(*command, user=user)
        return _run(inside, _environment(user), text, seconds, check=check)

    def spawn(self, *command: str, user: str = "root") -> subprocess.Popen[bytes]:
        """Start a program inside; what it prints is in `spawned.log` beside the host's disk."""
        inside = self.machine.inside(*command, user=user)
        log = self.machine.disk.folder / "spawned.log"
        started = _spawn(inside, log, _environment(user))
        self._spawned.append(started)
        return started

    def processes(self) -> list[int]:
        """Return the pids of all that runs in it, as this machine numbers them."""
        return self.machine.processes()

    def power_on(self) -> None:
        """Boot it, and return once systemd has started everything."""
        self.begin_boot()
        self.machine.await_boot()

    def begin_boot(self) -> None:
        """Switch it on and return at once."""
        if self.machine.is_on:
            raise RuntimeError(f"{self.name} cannot be powered on: it is on")
        self._network.plug(self.name)
        self.machine.begin_boot()

    def power_off(self) -> None:
        """Pull the plug: nothing in it ends in order, and nobody on the network is told."""
        if not self._port.is_plugged:
            return
        self._network.unplug(self.name)
        self.end()
        self._network.forget(self.name)

    def end(self) -> None:
        """Kill all that runs in it."""
        self.machine.kill()
        _reap(self._spawned)


class Seat:
    """The administrator's machine: this machine's files, an address of its own at the switch."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._spawned: list[subprocess.Popen[bytes]] = []

    @property
    def ip(self) -> str:
        """Its address now."""
        return self._port.ip

    def run(
        self,
        *command: str,
        user: str = "root",
        check: bool = True,
        text: str = "",
        seconds: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, with the seat's network; `text` is what it reads."""
        return _run(_at_seat(command, user), dict(os.environ), text, seconds, check=check)

    def spawn(
        self,
        *command: str,
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: str = "root",
    ) -> subprocess.Popen[bytes]:
        """Start a program; what it prints is added to `log`. It is ended with the box at last."""
        surroundings = {**os.environ, **(environment or {})}
        started = _spawn(_at_seat(command, user), log, surroundings)
        self._spawned.append(started)
        return started

    def end(self) -> None:
        """Kill what was spawned and still runs."""
        for one in self._spawned:
            one.kill()
        _reap(self._spawned)


class Box:
    """The switch, the seat and the hosts, from entering it to leaving it."""

    def __init__(self, count: int, *, disk_megabytes: Mapping[str, int] | None = None) -> None:
        if not 0 <= count <= _MOST:
            raise ValueError(f"a box of {count} hosts cannot be: it has addresses for {_MOST}")
        self.hosts: dict[str, Host] = {}
        self.network = Network()
        self.seat = Seat(self.network.add("seat", f"{NET}.0.1", 1))
        self._names = [f"h{i + 1}" for i in range(count)]
        self._megabytes = disk_megabytes or {}
        self._numbers = iter(range(_FIRST + 1, _FIRST + _MOST + 1))
        self._image = Path()
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Boot all at once."""
        _need_root()
        with contextlib.ExitStack() as opening:
            opening.enter_context(_alone())
            self._image = image()
            clear()
            opening.callback(self._end)
            self._build()
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End everything, and leave nothing of it on this machine."""
        self._open.close()

    def clone(self, host: str, name: str) -> Host:
        """Boot another host whose disk is a copy of this one's, its machine id included."""
        if host not in self.hosts:
            raise LookupError(f"{host} cannot be cloned: there are {', '.join(self.hosts)}")
        copied = self.hosts[host].machine.disk.written
        twin = self._make(name, copied)
        twin.power_on()
        return twin

    def _build(self) -> None:
        mount_groups()
        self.network.build()
        self.network.plug("seat")
        for name in self._names:
            self._make(name).begin_boot()
        for host in self.hosts.values():
            host.machine.await_boot()

    def _make(self, name: str, copied: Path | None = None) -> Host:
        number = next(self._numbers)
        port = self.network.add(name, f"{NET}.0.{number}", number)
        disk = Disk(name, self._megabytes.get(name))
        disk.mount(self._image, copied)
        if copied is None:
            (disk.root / "etc/hostname").write_text(f"{name}\n")
            identity = hashlib.md5(f"{PREFIX} {name}".encode()).hexdigest()
            (disk.root / "etc/machine-id").write_text(f"{identity}\n")
        self.hosts[name] = Host(port, Machine(name, disk), self.network)
        return self.hosts[name]

    def _end(self) -> None:
        self.network.take_down()
        end_all()
        self.seat.end()
        for host in self.hosts.values():
            host.end()
        clear()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold the folder and the names, so that no other run pulls this one down."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as ours, _NAMES_LOCK.open("w") as names:
        try:
            for lock in (ours, names):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(
                f"the LAN in a box cannot start: another run uses {FOLDER} or the prefix "
                f"{PREFIX}; let it end, or set ROUNDSMAN_LAN_FOLDER, _NET and _PREFIX to others"
            ) from None
        yield


def _need_root() -> None:
    if os.geteuid() != 0:
        raise RuntimeError(
            "the LAN in a box cannot start: it needs root, for namespaces, mounts and a bridge; "
            "run it as root"
        )


def _at_seat(command: tuple[str, ...], user: str) -> list[str]:
    who = [] if user == "root" else ["runuser", "-u", user, "--"]
    return ["nsenter", f"--net=/run/netns/{SEAT}", "--", *who, *command]


def _environment(user: str) -> dict[str, str]:
    """Return what a program inside a host sees: nothing of ours."""
    home = "/root" if user == "root" else f"/home/{user}"
    return {"PATH": _PATH, "HOME": home, "USER": user, "LOGNAME": user, "LANG": "C.UTF-8"}


def _run(
    command: list[str], environment: Mapping[str, str], text: str, seconds: float, *, check: bool
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if check and done.returncode:
        error = subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        error.add_note(f"it printed:\n{done.stdout}{done.stderr}")
        raise error
    return done


def _spawn(
    command: list[str], log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _reap(started: list[subprocess.Popen[bytes]]) -> None:
    for one in started:
        one.wait(30)
    started.clear()
