"""The running agent: the guard first, then recovery, links last; ended in the other order.

Nobody can log in before the guard has looked, and no order comes before recovery has ended.
"""

import logging
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from agent.agent import Agent
from agent.config import Config
from agent.cordon import CodeRefused, Cordon
from agent.cordon_record import CordonTools
from agent.enrol import EnrolProblem, renew_if_due
from agent.folders import check_state
from agent.housekeeping import Housekeeper
from agent.journal import Journal, JournalError
from agent.lock import FolderLock
from agent.logs import Logs
from agent.packages import SignedPackages
from agent.platforms.base import Platform
from agent.platforms.this import these_desktops, this_platform
from agent.ready import told_ready
from agent.records import sentence
from agent.runner import Runner
from agent.session.messages import CodeJudged
from agent.sessions import Sessions
from agent.steps.autosave import forget_autosaves
from agent.steps.rows import STEPS
from agent.steps.table import People
from agent.uplink import Uplink, UplinkOptions
from agent.uplink_status import FILE_NAME
from agent.wire.contract import CordonMode, Target
from agent.wire.https import Https
from agent.wire.profile import Profile
from agent.wire.tls import Credentials
from agent.work import Tools

_log = logging.getLogger(__name__)
JOURNAL = "journal.sqlite"
_STEP_SECONDS = 10.0
_FIRST_RENEW = 60.0
_RENEW_EVERY = 6 * 3600.0
_KEPT_DAYS = 30
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Service:
    """One agent at work, from `open` until `close`."""

    def __init__(self, config: Config) -> None:
        """Take the folder. Raises `FolderInUse`, `JournalError` or `OSError`."""
        self._config = config
        self._stop = threading.Event()
        self._woken = threading.Event()  # a rollout is over here, or it is the end
        self._fault = False
        self.left_a_step = False
        with ExitStack() as held:
            config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_state(config.state)
            held.callback(FolderLock(config.state).close)
            self._journal = Journal.open(config.state / JOURNAL)
            held.callback(self._journal.close)
            held.callback(Logs(config.state, self._journal).close)
            self._held = held.pop_all()

    def stop(self) -> None:
        """Have `run` return; for a signal handler."""
        self._stop.set()
        self._woken.set()

    def run(self) -> int:
        """Work until stopped; return the exit code. Raises `OSError` or `JournalError`."""
        threading.excepthook = self._die
        with self._held as held:
            https = held.enter_context(Https(self._https(), self._config.state / "ca.pem"))
            packages = SignedPackages(
                self._config.state, self._config.host, https, mirrors=self._config.mirrors
            )
            runner, uplink = self._open(held, packages)
            due = time.monotonic() + _FIRST_RENEW
            while not self._is_over(due - time.monotonic()):
                if time.monotonic() >= due:
                    self._renew(https, uplink)
                    due = time.monotonic() + _RENEW_EVERY
                self._forget()
                self._clear_away(runner)
        return 1 if self._fault else 0

    def _is_over(self, patience: float) -> bool:
        """Wait until something is to be done; True when that is to end."""
        self._woken.wait(max(0.0, patience))
        self._woken.clear()
        return self._stop.is_set()

    def _open(self, held: ExitStack, packages: SignedPackages) -> tuple[Runner, Uplink]:
        platform = this_platform()
        _log.info("agent started", extra={"host": self._config.host})
        self._forget()
        people = Sessions(these_desktops(self._config.displays))
        held.callback(people.close)
        tools, cordon = _build(self._config, self._journal, platform, packages, people)
        runner = Runner(STEPS, self._journal, replace(tools, tidied=self._woken.set))
        held.callback(cordon.close)
        held.callback(self._end_steps, runner)
        cordon.start()
        with told_ready():
            people.start(partial(judged, cordon))
            runner.recover()
        self._clear_away(runner)
        uplink = self._uplink(Agent(runner, cordon, self._journal, platform))
        held.callback(uplink.stop)
        uplink.start()
        return runner, uplink

    def _end_steps(self, runner: Runner) -> None:
        self.left_a_step = not runner.close(_STEP_SECONDS)
        _log.info("agent stopped", extra={"step_left_to_recovery": self.left_a_step})

    def _uplink(self, agent: Agent) -> Uplink:
        state = self._config.state
        return Uplink(
            [coordinator.link for coordinator in self._config.coordinators],
            Credentials(state / "key.pem", state / "cert.pem", state / "ca.pem"),
            agent,
            UplinkOptions(status_file=state / FILE_NAME),
        )

    def _https(self) -> str:
        return self._config.coordinators[0].https.removeprefix("https://")

    def _renew(self, https: Https, uplink: Uplink) -> None:
        try:
            if renew_if_due(self._config.state, https):
                uplink.redial()
        except EnrolProblem as error:
            _log.warning("certificate not renewed", extra={"why": str(error)})

    def _forget(self) -> None:
        """Drop what is known of rollouts long past, but for the one that keeps the host closed.

        What was copied of users' own work goes with them, and of that one too.
        """
        limit = _limit()
        state = self._journal.cordon()
        sealed = state is not None and state.record.mode is CordonMode.SEALED
        self._journal.forget_before(
            min(limit, state.record.rollout) if state and sealed else limit
        )
        try:
            forget_autosaves(self._config.state, limit, this_platform())
        except OSError as error:
            _log.warning("autosave copies not deleted", extra={"why": str(error)})

    def _clear_away(self, runner: Runner) -> None:
        keeper = Housekeeper(self._config, self._journal, this_platform())
        keeper.look(runner.unless_begun, time.time(), _limit())

    def _die(self, fault: threading.ExceptHookArgs) -> None:
        """A thread that ends by a fault ends the agent: its keeper starts it anew, whole."""
        about = (fault.exc_type, fault.exc_value or fault.exc_type(), fault.exc_traceback)
        _log.critical("fault in a thread", exc_info=about)
        self._fault = True
        self.stop()


def judged(cordon: Cordon, user: str, code: str) -> CodeJudged:
    """Return what became of a code that a user typed at this host."""
    try:
        cordon.open_by_code(code, user)
    except (CodeRefused, JournalError) as why:
        return CodeJudged(False, sentence(why))
    return CodeJudged(True)


def _build(
    config: Config,
    journal: Journal,
    platform: Platform,
    packages: SignedPackages,
    people: People,
) -> tuple[Tools, Cordon]:
    def profile(target: Target) -> Profile:
        return packages.kept_profile(target) or packages.profile(target)

    cordon = Cordon(journal, CordonTools(platform, config, profile, people))
    tools = Tools(
        platform,
        config,
        packages,
        cordon,
        people,
        packages.kept_profile,
        cordon.expecting,
        cordon.letting,
        cordon.startable,
    )
    return tools, cordon


def _limit() -> str:
    """Return the lowest id of a rollout that is not long past."""
    return _ulid_at(time.time() - _KEPT_DAYS * 86400)


def _ulid_at(seconds: float) -> str:
    """Return the lowest ULID of that moment: its time is in the first ten letters."""
    number, letters = int(seconds * 1000), ""
    for _ in range(10):
        number, letter = divmod(number, 32)
        letters = _LETTERS[letter] + letters
    return letters + "0" * 16
