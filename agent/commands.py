"""What `roundsman-agent` can be told: parse, call, say, exit code. Nothing is decided here.

Exit code 0 all well, 1 a person is needed, 2 could not ask.
"""

import argparse
import dataclasses
import json
import logging
import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.config import STATE_FOLDER, Config, ConfigError, read_config
from agent.cordon import CodeRefused
from agent.enrol import EnrolProblem, enrol
from agent.journal import Journal, JournalError
from agent.leaving import Leaving, closed_app, step_in_the_way
from agent.lock import FolderInUse
from agent.service import JOURNAL, Service
from agent.standing import in_words, its_service, local_cordon, read_standing

WELL, PERSON_NEEDED, COULD_NOT_ASK = 0, 1, 2
CONFIG = STATE_FOLDER / "agent.toml"
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Command:
    """One verb: what it says of itself, what it takes, what it does."""

    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    act: Callable[[argparse.Namespace], int]


def say(text: str) -> None:
    """Write a line for people or programs."""
    sys.stdout.write(text + "\n")


def complain(error: Exception) -> None:
    """Write why something cannot be."""
    sys.stderr.write(f"error: {error}\n")


def _with_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=CONFIG, help=f"default: {CONFIG}")


def _run(arguments: argparse.Namespace) -> int:
    try:
        service = Service(read_config(arguments.config))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: service.stop())
        code = service.run()
    except (ConfigError, FolderInUse, JournalError, OSError) as error:
        complain(error)
        return COULD_NOT_ASK
    if service.left_a_step:  # its thread would keep us; recovery takes it up at the next start
        logging.shutdown()
        os._exit(code)
    return code


def _status_arguments(parser: argparse.ArgumentParser) -> None:
    _with_config(parser)
    parser.add_argument("--json", action="store_true", help="one object, for programs")


def _status(arguments: argparse.Namespace) -> int:
    try:
        with _journal(arguments.config) as (config, journal):
            standing = read_standing(config, journal)
    except (ConfigError, JournalError, OSError) as error:
        complain(error)
        return COULD_NOT_ASK
    as_json = json.dumps(dataclasses.asdict(standing), indent=1, default=str)
    say(as_json if arguments.json else in_words(standing))
    return PERSON_NEEDED if standing.needs_a_person else WELL


def _uncordon_arguments(parser: argparse.ArgumentParser) -> None:
    _with_config(parser)
    parser.add_argument("--code", help="the one-time code; without it, as administrator")


def _uncordon(arguments: argparse.Namespace) -> int:
    try:
        with _journal(arguments.config) as (config, journal):
            cordon = local_cordon(config, journal)
            if arguments.code is not None:
                cordon.open_by_code(arguments.code)
            elif not cordon.open_by_administrator():
                say("Nothing is kept closed on this PC.")
                return WELL
            service = its_service(config, journal)
    except CodeRefused as error:
        complain(error)
        return PERSON_NEEDED
    except (ConfigError, JournalError, OSError) as error:
        complain(error)
        return COULD_NOT_ASK
    say("The app may be opened again on this PC. The coordinator will see who opened it.")
    if service:
        say(service)
    return WELL


def _enrol_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("token", help="what `roundsman fleet token` printed")
    parser.add_argument("--name", default=socket.gethostname(), help="how people call this PC")
    parser.add_argument("--state", type=Path, default=STATE_FOLDER, help="the state folder")
    parser.add_argument("--again", action="store_true", help="although it is enrolled already")


def _enrol(arguments: argparse.Namespace) -> int:
    how = f"on the coordinator: roundsman fleet approve {shlex.quote(arguments.name)}"
    news = iter([f"This PC waits to be let in; {how}\n"])

    def wait(seconds: float) -> bool:
        sys.stderr.write(next(news, ""))
        time.sleep(seconds)
        return True

    try:
        enrolled = enrol(
            arguments.token, arguments.name, arguments.state, wait, again=arguments.again
        )
    except EnrolProblem as error:
        complain(error)
        return COULD_NOT_ASK
    say(f"This PC is {enrolled.host_id} now, a member of the fleet of {enrolled.coordinator}.")
    say(f"Next: say where apps lie, in {arguments.state / CONFIG.name}, and start its agent.")
    return WELL


def _let_go_arguments(parser: argparse.ArgumentParser) -> None:
    _with_config(parser)
    parser.add_argument("leaving", type=Leaving, choices=list(Leaving))
    parser.add_argument("--wait", type=float, default=60.0, help="seconds, for a step to end")


def _let_go(arguments: argparse.Namespace) -> int:
    try:
        with _journal(arguments.config) as (config, journal):
            why_not = _why_kept(config, journal, arguments)
    except (ConfigError, JournalError, OSError) as error:
        complain(error)
        return COULD_NOT_ASK
    if why_not:
        say(f"no {arguments.leaving} now: {why_not}")
    return PERSON_NEEDED if why_not else WELL


def _why_kept(config: Config, journal: Journal, arguments: argparse.Namespace) -> str:
    if arguments.leaving is Leaving.REMOVAL and (closed := closed_app(config, journal)):
        return closed
    step, end = step_in_the_way(config, journal), time.monotonic() + arguments.wait
    if step and arguments.wait:
        sys.stderr.write(f"the agent is in the middle of the step {step}; its end is waited for\n")
    while step and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
        step = step_in_the_way(config, journal)
    return f"the agent is in the middle of the step {step}; try again later" if step else ""


@contextmanager
def _journal(file: Path) -> Iterator[tuple[Config, Journal]]:
    config = read_config(file)
    journal = Journal.open(config.state / JOURNAL)
    try:
        yield config, journal
    finally:
        journal.close()


COMMANDS: dict[str, Command] = {
    "enrol": Command("make this PC a member of the fleet", _enrol_arguments, _enrol),
    "run": Command("work: dial the coordinators, take their orders", _with_config, _run),
    "status": Command("say where this PC stands", _status_arguments, _status),
    "uncordon": Command("let the app be opened again here", _uncordon_arguments, _uncordon),
    "let-go": Command("say whether the agent may be replaced now", _let_go_arguments, _let_go),
}
"""Every verb, one row each."""
