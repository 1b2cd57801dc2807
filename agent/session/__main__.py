"""The program in a user's desktop; the service starts it there: python -m agent.session FD.

FD is the number of an inherited socket. Everything that needs the screen is loaded only once it
is known to be there: Debian packs tkinter apart from Python.
"""

import importlib
import importlib.util
import logging
import os
import socket
import sys

from agent.session.messages import Lacks
from agent.session.talk import Ended, Talk
from agent.wire.notices import Blind

_NO_TKINTER = "cannot show notices in this desktop: tkinter is missing. Install: apt-get install "


def main(arguments: list[str]) -> int:
    """Work until the service ends; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if len(arguments) != 1 or not arguments[0].isdecimal():
        sys.stderr.write("roundsman: this program is started by the agent's service\n")
        return 2
    try:
        talk = Talk(socket.socket(fileno=int(arguments[0])))
        return _work(talk)
    except (OSError, Ended) as error:
        sys.stderr.write(f"roundsman: cannot talk to the service: {error}\n")
        return 2


def _work(talk: Talk) -> int:
    try:
        program = importlib.import_module("agent.session.program")
    except ImportError as error:
        what = "python3-tk" if "tk" in str(error) else str(error)
        sys.stderr.write(f"roundsman: {_NO_TKINTER}{what}\n")
        talk.say(Lacks(Blind.NO_TKINTER))
        return 1
    return int(program.work(talk, os.environ))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
