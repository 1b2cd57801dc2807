"""Simulated agents, many in one process: `python -m tests.bench.crowd SETTINGS`.

Each enrols for real and has a link and an address of its own. Says "enrolled", waits for a line,
has all of them dial at once, and says when the last one was linked, by the clock of this machine.
The process ends with its standard input.
"""

import json
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from agent.enrol import enrol
from agent.uplink import Uplink, UplinkOptions
from agent.uplink_status import LineState
from agent.wire.tls import Credentials
from tests.bench.simulated import SimulatedAgent

_AT_ONCE = 4  # enrolments
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class CrowdSettings:
    """Who takes part."""

    folder: str
    token: str
    link: str  # "host:port"
    names: tuple[str, ...]
    step_seconds: float  # how long each step takes
    orders: str  # file that gets one line an order: when, for which step
    network: int  # the second byte of their addresses

    def write(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "CrowdSettings":
        return cls(**json.loads(text))


def main() -> None:
    settings = CrowdSettings.read(sys.argv[1])
    with ExitStack() as held:
        orders = held.enter_context(Path(settings.orders).open("a", encoding="ascii"))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            agents = list(pool.map(lambda name: _enrolled(settings, name, orders), settings.names))
        uplinks = []
        for number, (state, agent) in enumerate(agents):
            held.callback(agent.close)
            uplinks.append(_uplink(settings, number, state, agent))
            held.callback(uplinks[-1].stop)
        _tell("enrolled")
        sys.stdin.readline()
        _tell(str(_all_linked(uplinks)))
        sys.stdin.read()


def _tell(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def _uplink(settings: CrowdSettings, number: int, state: Path, agent: SimulatedAgent) -> Uplink:
    """Return an agent's line; a coordinator bears only so many new links of one address."""
    source = f"127.{settings.network}.{number // 250}.{number % 250 + 1}"
    options = UplinkOptions(source=source)
    return Uplink([settings.link], _credentials(state), agent, options)


def _all_linked(uplinks: Sequence[Uplink]) -> float:
    """Have everybody dial, and return when the last one was linked (`time.time`)."""
    for uplink in uplinks:
        uplink.start()
    pause = threading.Event()
    while True:
        standings = [uplink.standings()[0] for uplink in uplinks]
        if all(standing.state is LineState.LINKED for standing in standings):
            return max(standing.since for standing in standings)
        pause.wait(_LOOK_SECONDS)


def _enrolled(settings: CrowdSettings, name: str, orders: TextIO) -> tuple[Path, SimulatedAgent]:
    state = Path(settings.folder) / name
    host = enrol(settings.token, name, state, lambda _seconds: True).host_id
    return state, SimulatedAgent(host, state, settings.step_seconds, orders)


def _credentials(state: Path) -> Credentials:
    return Credentials(state / "key.pem", state / "cert.pem", state / "ca.pem")


if __name__ == "__main__":
    main()
