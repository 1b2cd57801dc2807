"""A coordinator that orders cordons of a chosen length, and is there to be killed.

usage: python -m tests.faults.order HOME STATE HOST=MODE:SECONDS ...

It serves links with the keys of HOME; STATE is the state folder of one of the agents, from which
it takes what profile is meant and which epoch to go beyond. It says `ordered` once all are on.
"""

import signal
import sys
from pathlib import Path

from agent.wire.contract import CordonMode, CordonOrder, Fence, Target
from agent.wire.tls import Credentials, Side, make_context
from coordinator.fleet.ca import Authority
from coordinator.fleet.hub import Hub, HubOptions
from coordinator.fleet.listener import Listener
from coordinator.settings import read_settings
from tests.faults.ledger import cordon_of, fence_of
from tests.plans import numbered
from tests.until import until

_CALL_SECONDS = 5.0


def main(home: Path, state: Path, wanted: list[str]) -> None:
    """Order what is wanted, then wait to be killed."""
    settings = read_settings(home)
    pair = Authority.open(settings.ca_folder).issue_coordinator(
        settings.ca_folder, settings.coordinator_id
    )
    hub = Hub(HubOptions(version="0"))
    context = make_context(
        Side.SERVER, Credentials(pair.key, pair.certificate, settings.ca_folder / "ca.pem")
    )
    address = settings.listen, settings.link_port
    listener = Listener(address, context, hub.welcome, lambda _identity: False)
    listener.start()
    known = cordon_of(state)
    assert known is not None
    for host, mode, seconds in (_read(text) for text in wanted):
        order = CordonOrder(
            rollout=numbered(1),
            profile=Target(**known["profile"]),
            mode=mode,
            fence=Fence(fence_of(state) + 1, "abc"),
            ttl=seconds,
        )
        _wait_for(hub, host)
        sight = hub.call(host, "cordon", order, _CALL_SECONDS)
        assert (sight.mode, sight.guarded) == (mode, True), sight
    sys.stdout.write("ordered\n")
    sys.stdout.flush()
    signal.pause()


def _wait_for(hub: Hub, host: str) -> None:
    until(lambda: host in hub.linked(), 30, f"{host} is linked")


def _read(text: str) -> tuple[str, CordonMode, float]:
    host, _, rest = text.partition("=")
    mode, _, seconds = rest.partition(":")
    return host, CordonMode(mode), float(seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
