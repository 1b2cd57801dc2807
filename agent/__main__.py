"""`roundsman-agent`: the program on every workstation."""

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version

from agent.commands import COMMANDS


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="roundsman-agent", description="Keeps this PC's part in a rollout."
    )
    parser.add_argument("--version", action="version", version=version("roundsman"))
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, command in COMMANDS.items():
        command.arguments(verbs.add_parser(name, help=command.help, description=command.help))
    arguments = parser.parse_args(words)
    logging.getLogger("agent").addHandler(logging.NullHandler())  # else stderr has what is logged
    return COMMANDS[arguments.verb].act(arguments)


if __name__ == "__main__":
    sys.exit(main())
