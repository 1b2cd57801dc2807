"""Simulated agents, many in one process: `python -m tests.bench.crowd SETTINGS`.

Each enrols for real and has a link of its own. The process ends with its standard input.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from agent.enrol import enrol
from agent.uplink import Uplink
from agent.wire.tls import Credentials
from tests.bench.simulated import SimulatedAgent

_AT_ONCE = 4  # enrolments


@dataclass(frozen=True, slots=True)
class CrowdSettings:
    """Who takes part."""

    folder: str
    token: str
    link: str  # "host:port"
    names: tuple[str, ...]
    step_seconds: float  # how long each step takes
    orders: str  # file that gets one line an order: when, for which step

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
        for state, agent in agents:
            held.callback(agent.close)
            uplink = Uplink([settings.link], _credentials(state), agent)
            held.callback(uplink.stop)
            uplink.start()
        sys.stdin.read()


def _enrolled(settings: CrowdSettings, name: str, orders: TextIO) -> tuple[Path, SimulatedAgent]:
    state = Path(settings.folder) / name
    host = enrol(settings.token, name, state, lambda _seconds: True).host_id
    return state, SimulatedAgent(host, state, settings.step_seconds, orders)


def _credentials(state: Path) -> Credentials:
    return Credentials(state / "key.pem", state / "cert.pem", state / "ca.pem")


if __name__ == "__main__":
    main()
