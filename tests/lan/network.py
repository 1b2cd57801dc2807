"""The switch, a port for each machine, and trouble on a machine's wire.

Trouble belongs to the wire and not to the machine: one that is powered off and on again finds its
cable as it was left. Trouble adds up until `heal` takes all of it away.
"""

import enum
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.lan.commands import do, ip, nft
from tests.lan.settings import PROJECT, SWITCH, namespace

_BRIDGE = "br0"
_LONGEST_NAME = 13  # the kernel takes 15, and the ends of a wire have two more
_BURST = "burst 256k latency 200ms"


class Way(enum.Enum):
    """Which way is lost, seen from the machine."""

    OUT = "out"
    IN = "in"


@dataclass(slots=True)
class Port:
    """A machine's port: its name is that of the interface in the switch."""

    name: str
    ip: str
    number: int
    is_plugged: bool = False
    is_cut: bool = False
    lost: set[Way] = field(default_factory=set)
    megabits: int = 0
    wire: subprocess.Popen[bytes] | None = None
    late_and_lossy: tuple[int, int] | None = None
    """Milliseconds each way, percent of the frames each way."""
    carried: tuple[int, int] | None = None
    """What of this the wire does now."""

    @property
    def mac(self) -> str:
        """The address of its network card."""
        return f"02:00:00:00:{self.number >> 8:02x}:{self.number & 255:02x}"

    @property
    def rules(self) -> str:
        """What its rules in the switch are called."""
        return "of_" + re.sub(r"\W", "_", self.name)


class Network:
    """The switch and its ports; a name is a host's ("h3") or "seat"."""

    def __init__(self) -> None:
        self._ports: dict[str, Port] = {}

    @property
    def ports(self) -> Mapping[str, Port]:
        """Every port there is, plugged or not."""
        return self._ports

    def build(self) -> None:
        """Put the switch there."""
        do("ip", "netns", "add", SWITCH)
        ip(SWITCH, f"link add {_BRIDGE} type bridge", f"link set {_BRIDGE} up", "link set lo up")

    def take_down(self) -> None:
        """End the wires; the switch itself goes with its namespace."""
        for port in self._ports.values():
            _end_wire(port)

    def add(self, name: str, address: str, number: int) -> Port:
        """Return a new port for a machine that will be plugged in."""
        if name in self._ports or len(name) > _LONGEST_NAME:
            raise ValueError(
                f"{name} cannot be at the switch: a name is given once and has "
                f"{_LONGEST_NAME} letters at most"
            )
        self._ports[name] = Port(name, address, number)
        return self._ports[name]

    def plug(self, name: str) -> None:
        """Give the machine a network card with its address, at the wire as it was left."""
        port, inside = self._port(name), namespace(name)
        do("ip", "netns", "add", inside)
        pair = f"link add {name} type veth peer name eth0 address {port.mac} netns {inside}"
        ip(SWITCH, pair, f"link set {name} master {_BRIDGE}")
        ip(inside, "link set lo up", f"addr add {port.ip}/24 dev eth0", "link set eth0 up")
        port.is_plugged = True
        self._apply(port)

    def unplug(self, name: str) -> None:
        """Take the card away at once, with every connection on it: nobody is told."""
        port = self._port(name)
        port.is_plugged = False
        ip(SWITCH, f"link set {name} down")
        _end_wire(port)

    def forget(self, name: str) -> None:
        """Have the network namespace of an unplugged machine gone."""
        ip(SWITCH, f"link del {name}")
        do("ip", "netns", "del", namespace(name))

    def cut(self, name: str) -> None:
        """Pull the cable: the port goes down, at both ends."""
        self._change(name, is_cut=True)

    def heal(self, name: str) -> None:
        """Take every trouble away."""
        for way in self._port(name).lost:
            self._find(self._port(name), way)
        self._change(name, is_cut=False, lost=set(), megabits=0, late_and_lossy=None)

    def put_back(self, name: str) -> None:
        """Put a cable back that was pulled; other trouble on the wire stays."""
        self._change(name, is_cut=False)

    def one_way(self, name: str, direction: Way) -> None:
        """Lose what it sends (`Way.OUT`) or what is sent to it (`Way.IN`); the cable stays up."""
        self._change(name, lost=self._port(name).lost | {direction})

    def lost(self, name: str, way: Way) -> int:
        """Return how many frames were lost that way since `one_way` was asked for."""
        port = self._port(name)
        table = _table(port, way)
        listed = do("ip", "netns", "exec", _place(port, way), "nft", "list", "table", *table)
        return sum(int(packets) for packets in re.findall(r"counter packets (\d+)", listed))

    def lossy(self, name: str, delay_ms: int, loss_percent: int) -> None:
        """Have each frame come later, and some never, each way."""
        self._change(name, late_and_lossy=(delay_ms, loss_percent))

    def rate(self, name: str, megabits: int) -> None:
        """Let no more than that through in a second, each way."""
        self._change(name, megabits=megabits)

    def readdress(self, name: str, address: str) -> None:
        """Have the machine at another address from now on; the old one is gone."""
        port = self._port(name)
        old, port.ip = port.ip, address
        if port.is_plugged:
            away, there = f"addr del {old}/24 dev eth0", f"addr add {address}/24 dev eth0"
            ip(namespace(name), away, there)

    def _port(self, name: str) -> Port:
        if name not in self._ports:
            there = ", ".join(self._ports)
            raise LookupError(f"nothing called {name} is at the switch; there are: {there}")
        return self._ports[name]

    def _change(self, name: str, **state: object) -> None:
        port = self._port(name)
        for attribute, value in state.items():
            setattr(port, attribute, value)
        if port.is_plugged:
            self._apply(port)

    def _apply(self, port: Port) -> None:
        ends = [port.name, f"{port.name}.b"] if port.wire else [port.name]
        ip(SWITCH, *(f"link set {end} {'down' if port.is_cut else 'up'}" for end in ends))
        for way in port.lost:
            self._lose(port, way)
        _limit(port)
        if port.carried != port.late_and_lossy:
            _end_wire(port)
            _put_wire_in(port)

    def _lose(self, port: Port, way: Way) -> None:
        self._find(port, way)
        if way is Way.OUT:
            chain = "type filter hook prerouting priority -300;"
            where = f'iifname {{ "{port.name}", "{port.name}.b" }} counter drop'
            nft(SWITCH, f"table bridge {port.rules} {{ chain lost {{ {chain} {where}\n}}\n}}\n")
        else:
            chain = "type filter hook ingress device eth0 priority -500; counter drop"
            nft(namespace(port.name), f"table netdev lan {{ chain lost {{ {chain}\n}}\n}}\n")

    def _find(self, port: Port, way: Way) -> None:
        """Have nothing lost that way any more."""
        table = " ".join(_table(port, way))
        if way is Way.OUT or port.is_plugged:
            nft(_place(port, way), f"table {table}\ndelete table {table}\n")


def _table(port: Port, way: Way) -> tuple[str, str]:
    """Return the family and the name of the rules that lose what goes that way."""
    return ("bridge", port.rules) if way is Way.OUT else ("netdev", "lan")


def _place(port: Port, way: Way) -> str:
    return SWITCH if way is Way.OUT else namespace(port.name)


def _limit(port: Port) -> None:
    for where, device in ((SWITCH, port.name), (namespace(port.name), "eth0")):
        command = ["tc", "-netns", where, "qdisc"]
        if port.megabits:
            limit = f"root tbf rate {port.megabits}mbit {_BURST}"
            do(*command, "replace", "dev", device, *limit.split())
        else:
            subprocess.run(
                [*command, "del", "dev", device, "root"], check=False, capture_output=True
            )


def _put_wire_in(port: Port) -> None:
    """Between the port and the bridge comes a pair of interfaces, joined to the port by hand."""
    if port.late_and_lossy is None:
        return
    near, far = f"{port.name}.w", f"{port.name}.b"
    ip(
        SWITCH,
        f"link add {far} type veth peer name {near}",
        f"link set {near} up",
        f"link set {far} {'down' if port.is_cut else 'up'}",
    )
    what = ["-m", "tests.lan.wire", port.name, near, *map(str, port.late_and_lossy)]
    command = ["ip", "netns", "exec", SWITCH, sys.executable, *what]
    port.wire = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE)
    assert port.wire.stdout is not None
    if port.wire.stdout.readline() != b"ready\n":
        raise RuntimeError(f"the wire of {port.name} cannot be put in; see its words above")
    ip(SWITCH, f"link set {port.name} nomaster", f"link set {far} master {_BRIDGE}")
    port.carried = port.late_and_lossy


def _end_wire(port: Port) -> None:
    if port.wire is None:
        return
    port.wire.kill()
    port.wire.communicate()
    port.wire = port.carried = None
    ip(SWITCH, f"link del {port.name}.b", f"link set {port.name} master {_BRIDGE}")
