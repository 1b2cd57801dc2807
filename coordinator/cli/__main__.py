"""Lets the command line be run as `python -m coordinator.cli`."""

from coordinator.cli.main import main

main()
