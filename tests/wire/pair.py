"""Two ends of one real TLS link on loopback, and a small fleet on real links."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from agent.uplink import Backoff, Uplink, UplinkOptions
from agent.wire.api import AgentApi
from agent.wire.link import AgentLink, Ending, LinkDaemon
from agent.wire.tls import Credentials, Role, Side, check_peer, dial, make_context
from coordinator.fleet.doorstep import ListenerLimits
from coordinator.fleet.hub import Hub, HubOptions
from coordinator.fleet.listener import Listener
from tests.until import until
from tests.wire.pki import TestCa

QUICK = UplinkOptions(after_loss=Backoff(0.02, 0.1), after_refusal=Backoff(0.2, 0.5))
LIMITS = ListenerLimits(handshake_seconds=2.0)


@dataclass
class Ends:
    """The coordinator's socket and the agent's."""

    coordinator: ssl.SSLSocket
    agent: ssl.SSLSocket


@contextmanager
def tls_pair(ca: TestCa) -> Iterator[Ends]:
    """Yield two ends whose handshake is over; both are closed afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ends = _shake(server, ca.coordinator(), ca.agent("pc-03"))
    try:
        yield ends
    finally:
        ends.agent.close()
        ends.coordinator.close()


def _shake(server: socket.socket, ours: Credentials, theirs: Credentials) -> Ends:
    context = make_context(Side.SERVER, ours)
    taken: list[ssl.SSLSocket] = []

    def accept() -> None:
        raw, _ = server.accept()
        taken.append(context.wrap_socket(raw, server_side=True))

    thread = threading.Thread(target=accept)
    thread.start()
    agent = dial(server.getsockname(), make_context(Side.CLIENT, theirs), 5)
    thread.join()
    return Ends(taken[0], agent)


@dataclass
class Linked:
    """A coordinator's link to a served agent; `ending` is set once that has ended."""

    link: AgentLink
    daemon: LinkDaemon
    thread: threading.Thread
    endings: list[Ending]

    def ending(self) -> Ending:
        self.thread.join(10)
        return self.endings[0]


@contextmanager
def served(ca: TestCa, api: AgentApi, idle_seconds: float = 30.0) -> Iterator[Linked]:
    """Yield a link over which `api` is called; all is closed afterwards."""
    with tls_pair(ca) as ends:
        daemon = LinkDaemon(ends.agent, api, idle_seconds)
        endings: list[Ending] = []
        thread = threading.Thread(target=lambda: endings.append(daemon.serve()))
        thread.start()
        link = AgentLink(ends.coordinator, check_peer(ends.coordinator, Role.AGENT), "127.0.0.1")
        try:
            yield Linked(link, daemon, thread, endings)
        finally:
            link.close()
            daemon.cut()
            thread.join(10)


@dataclass
class Office:
    """A coordinator's listener and hub on real links; agents are added with `agent`."""

    hub: Hub
    listener: Listener
    ca: TestCa
    uplinks: list[Uplink]

    def agent(
        self,
        name: str,
        api: AgentApi,
        credentials: Credentials | None = None,
        source: str = "",
    ) -> Uplink:
        """Return a started uplink of a new agent, from `source`; it is stopped with the office."""
        own = credentials or self.ca.agent(name)
        address = f"127.0.0.1:{self.listener.port}"
        uplink = Uplink([address], own, api, replace(QUICK, source=source))
        self.uplinks.append(uplink)
        uplink.start()
        return uplink

    def linked_agent(self, name: str, api: AgentApi) -> Uplink:
        """Return the uplink of a new agent once the hub can call it."""
        uplink = self.agent(name, api)
        until(lambda: name in self.hub.linked(), what=f"{name} linked")
        return uplink


@contextmanager
def office(
    ca: TestCa, options: HubOptions, limits: ListenerLimits = LIMITS, port: int = 0
) -> Iterator[Office]:
    """Yield an open office; every thread of it has ended afterwards."""
    hub = Hub(options)
    context = make_context(Side.SERVER, ca.coordinator())
    listener = Listener(("127.0.0.1", port), context, hub.welcome, options.is_refused, limits)
    here = Office(hub, listener, ca, [])
    listener.start()
    hub.start()
    try:
        yield here
    finally:
        for uplink in here.uplinks:
            uplink.stop()
        listener.close()
        hub.close()
