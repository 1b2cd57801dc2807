"""What somebody does on the LAN who has a workstation's key, or none: with plain TLS and HTTPS.

Each of these returns what became of it, in the coordinator's own word; "" is a success.
"""

import http.client
import json
import shutil
import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from agent.uplink import Backoff, Uplink, UplinkOptions
from agent.wire.tls import Credentials, Side, make_context
from coordinator.api.asks import PREFIX
from coordinator.api.routes import ROUTES, Row
from coordinator.fleet.hub import Hub, HubOptions
from coordinator.fleet.listener import Listener
from coordinator.settings import HTTPS_PORT, LINK_PORT
from tests.lan.app import Workstation
from tests.lan.box import Box
from tests.lan.elsewhere import at
from tests.wire.fakes import FakeAgent

_SECONDS = 15.0
_HEAD = 40
_SIZE_AT = 14  # of the payload, in the head of a message
_QUICK = UplinkOptions(after_loss=Backoff(0.2, 0.5), after_refusal=Backoff(60.0, 60.0))


def stolen_from(station: Workstation, folder: Path) -> Credentials:
    """Return a copy of the three files that make an agent who it is."""
    folder.mkdir()
    for name in ("key.pem", "cert.pem", "ca.pem"):
        shutil.copy(station.state / name, folder)
    return Credentials(folder / "key.pem", folder / "cert.pem", folder / "ca.pem")


def careless_context(shown: Credentials | None) -> ssl.SSLContext:
    """Return a client's context that takes any server, and shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    return context


def knock(ip: str, shown: Credentials | None) -> str:
    """Dial the links' port with plain TLS; return the alert or refusal, "" when greeted."""
    try:
        with (
            socket.create_connection((ip, LINK_PORT), _SECONDS) as raw,
            careless_context(shown).wrap_socket(raw) as link,
        ):
            link.settimeout(_SECONDS)
            return _refusal(link.recv(4096))
    except ssl.SSLError as error:
        return (error.reason or "ended").lower()


def _refusal(said: bytes) -> str:
    if b'"hello"' in said:
        return ""
    size = struct.unpack_from("!I", said, _SIZE_AT)[0] if len(said) >= _HEAD else 0
    return said[_HEAD : _HEAD + size].decode() if size else "ended"


def pose_as_agent(name: str, ip: str, shown: Credentials) -> tuple[FakeAgent, Uplink]:
    """Dial as that agent from a machine's place; return what hears orders, and its line."""
    fake = FakeAgent()
    line = Uplink([f"{ip}:{LINK_PORT}"], shown, fake, _QUICK)
    at(name, line.start)
    return fake, line


def verbs_let_in(ip: str, shown: Credentials, bearer: str) -> list[str]:
    """Ask for everything that an operator may; return what was not refused for want of one."""
    context = careless_context(shown)
    line = http.client.HTTPSConnection(ip, HTTPS_PORT, timeout=_SECONDS, context=context)
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    try:
        return [row.name for row in ROUTES if _status(line, row, headers) != 401]
    finally:
        line.close()


def _status(line: http.client.HTTPSConnection, row: Row, headers: Mapping[str, str]) -> int:
    path = PREFIX + row.path.replace("{name:path}", "x").replace("{", "").replace("}", "")
    line.request(row.method, path, body=b"{}" if row.method == "POST" else None, headers=headers)
    answer = line.getresponse()
    answer.read()
    return answer.status


def fetch(ip: str, path: str, headers: Mapping[str, str]) -> str:
    """Fetch something of the releases; return the coordinator's word, "" when it came."""
    context = careless_context(None)
    line = http.client.HTTPSConnection(ip, HTTPS_PORT, timeout=_SECONDS, context=context)
    try:
        line.request("GET", path, headers=dict(headers))
        answer = line.getresponse()
        body = answer.read()
        return "" if answer.status in {200, 206} else str(json.loads(body)["word"])
    finally:
        line.close()


@contextmanager
def impostor(box: Box, shown: Credentials, name: str) -> Iterator[Hub]:
    """Stand at the coordinator's address with this certificate, while the seat is cut off.

    Yields the impostor's own hub: whom it could call, had anybody believed it.
    """
    box.network.cut("seat")
    box.network.add(name, box.seat.ip, box.network.ports["seat"].number)
    box.network.plug(name)
    hub = Hub(HubOptions("0.1.0", ping_every=60))
    context = make_context(Side.SERVER, shown)
    address = ("0.0.0.0", LINK_PORT)
    listener = at(name, lambda: Listener(address, context, hub.welcome, lambda _identity: False))
    listener.start()
    try:
        yield hub
    finally:
        listener.close()
        hub.close()
        box.network.unplug(name)
        box.network.forget(name)
        box.network.heal("seat")
