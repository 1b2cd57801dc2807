"""Keeps one link to every coordinator: dials, serves, and dials again when the link ends.

A lost link is dialed again shortly, a refused one now and then, all with full jitter so that an
office does not come back all at once. Keys and certificates are read afresh for every dial,
so a renewed certificate needs no restart. After sleep or a change of address the coordinator's
pings stay away, and the link counts as lost.
"""

import logging
import random
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.uplink_status import REFUSALS, LineStanding, LineState, UplinkStatus, write_status
from agent.wire.api import AgentApi
from agent.wire.errors import IdentityError, LinkRefusal
from agent.wire.link import IDLE_SECONDS, Ending, LinkDaemon
from agent.wire.tls import Credentials, Role, Side, check_peer, cut, dial, is_refusal, make_context

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before dialing again, in seconds: anything up to a growing limit."""

    first: float
    most: float

    def limit(self, failures: int) -> float:
        """Return the longest wait after so many failures in a row."""
        return min(self.most, self.first * 2.0 ** min(failures, 30))

    def draw(self, failures: int) -> float:
        """Return a wait; full jitter: any of 0 to `limit`, all alike."""
        return random.uniform(0, self.limit(failures))


@dataclass(frozen=True, slots=True)
class UplinkOptions:
    """What an uplink may be told; the defaults are for an office."""

    coordinator_id: str = "main"
    idle_seconds: float = IDLE_SECONDS
    dial_seconds: float = 5.0
    after_loss: Backoff = Backoff(0.5, 5.0)
    after_refusal: Backoff = Backoff(60.0, 600.0)
    after_stranger: Backoff = Backoff(0.5, 30.0)  # who answers there is not proven to be ours
    status_file: Path | None = None
    source: str = ""  # the address of this host to dial from; "" = whichever the system takes


OFFICE_OPTIONS = UplinkOptions()


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of `host:port` or `[v6]:port`. Raises `ValueError` that says why."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(
            f'cannot use "{text}" as an address: write host:port, as in 10.0.0.5:7701'
        )
    return host, int(port)


class Uplink:
    """The lines of one agent, a thread each; start it once, stop it once."""

    def __init__(
        self,
        coordinators: Sequence[str],
        credentials: Credentials,
        api: AgentApi,
        options: UplinkOptions = OFFICE_OPTIONS,
    ) -> None:
        """Prepare a line to each `host:port`. Raises `ValueError` for what is none."""
        self._options = options
        self._lock = threading.Lock()
        self._lines = [
            _Line(parse_address(text), credentials, api, options, self._publish)
            for text in dict.fromkeys(coordinators)
        ]

    def start(self) -> None:
        """Begin to dial."""
        for line in self._lines:
            line.start()

    def stop(self) -> None:
        """End every link and return when no thread is left; at most one dial long."""
        for line in self._lines:
            line.stop()
        for line in self._lines:
            line.join()

    def redial(self) -> None:
        """End the links and dial at once, as when the certificate was renewed."""
        for line in self._lines:
            line.redial()

    def standings(self) -> tuple[LineStanding, ...]:
        """Return how each line stands."""
        return tuple(line.standing for line in self._lines)

    def _publish(self) -> None:
        path = self._options.status_file
        if path is None:
            return
        with self._lock:
            try:
                write_status(path, UplinkStatus(self.standings()))
            except OSError as error:
                _log.warning(
                    "cannot write the status", extra={"file": str(path), "why": str(error)}
                )


class _Line:
    """One coordinator: dial, serve, wait, for ever."""

    def __init__(
        self,
        address: tuple[str, int],
        credentials: Credentials,
        api: AgentApi,
        options: UplinkOptions,
        publish: Callable[[], None],
    ) -> None:
        self._address = address
        self._credentials = credentials
        self._api = api
        self._options = options
        self._publish = publish
        self._name = f"{address[0]}:{address[1]}"
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._link: ssl.SSLSocket | None = None
        self._thread = threading.Thread(target=self._run, name=f"uplink {self._name}", daemon=True)
        self.standing = LineStanding(self._name, LineState.DIALING, time.time())

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self.redial()

    def join(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    def redial(self) -> None:
        self._awake.set()
        if link := self._link:
            cut(link)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            ending, backoff = self._attempt()
            held = ending.calls > 1 and ending.refusal is None  # past its hello
            failures = 0 if held else failures + 1
            self._say_end(ending)
            self._awake.wait(backoff.draw(failures))
            self._awake.clear()
        self._say(LineState.STOPPED)

    def _attempt(self) -> tuple[Ending, Backoff]:
        """Return how one link ended, and when to dial again; whatever went wrong, it goes on.

        Only who has proven to be the coordinator can keep this agent away for long: else
        whoever stands at its address for a minute would, and after that it is itself again.
        """
        options = self._options
        try:
            ending = self._serve()
        except (OSError, IdentityError) as error:
            ending = Ending(_refusal_of(error), str(error) or type(error).__name__, 0)
            return ending, options.after_stranger if ending.refusal else options.after_loss
        except Exception as error:  # noqa: BLE001 - a rim: the line must go on
            _log.exception("fault in the uplink", extra={"coordinator": self._name})
            return Ending(None, type(error).__name__, 0), options.after_loss
        finally:
            self._drop()
        return ending, options.after_refusal if ending.refusal else options.after_loss

    def _serve(self) -> Ending:
        options = self._options
        context = make_context(Side.CLIENT, self._credentials)
        link = self._link = dial(self._address, context, options.dial_seconds, options.source)
        check_peer(link, Role.COORDINATOR, options.coordinator_id)
        daemon = LinkDaemon(link, self._api, options.idle_seconds)
        if self._stopping.is_set():
            cut(link)
        return daemon.serve(lambda: self._say(LineState.LINKED))

    def _drop(self) -> None:
        if link := self._link:
            self._link = None
            link.close()

    def _say_end(self, ending: Ending) -> None:
        if ending.refusal is None:
            self._say(LineState.LOST, None, ending.message)
            return
        message = f"{REFUSALS[ending.refusal]} ({ending.message})"
        self._say(LineState.REFUSED, ending.refusal, message)

    def _say(
        self, state: LineState, refusal: LinkRefusal | None = None, message: str = ""
    ) -> None:
        before = self.standing
        text = "".join(c for c in message if c.isprintable())[:500]
        if (before.state, before.refusal, before.message) == (state, refusal, text):
            return
        self.standing = LineStanding(self._name, state, time.time(), refusal, text)
        level = logging.WARNING if refusal else logging.INFO
        _log.log(level, f"link {state}", extra={"coordinator": self._name, "why": text})
        self._publish()


def _refusal_of(error: Exception) -> LinkRefusal | None:
    if isinstance(error, IdentityError):
        return LinkRefusal.WRONG_ROLE
    return LinkRefusal.CERTIFICATE if is_refusal(error) else None
