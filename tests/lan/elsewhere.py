"""Lets this process speak from another machine's place at the switch.

What it does there is done in a thread of its own: a thread of Linux can be in another network
than its process, and every socket that it opens is that machine's, by address and by cable.
"""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tests.lan.settings import namespace

_NETWORK = 0x40000000  # CLONE_NEWNET
_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


def at(name: str, act: Callable[[], T]) -> T:
    """Return what `act` returns, with the network of a machine ("h3", "seat")."""
    with ThreadPoolExecutor(1, f"at-{name}", _enter, (name,)) as pool:
        return pool.submit(act).result()


def _enter(name: str) -> None:
    with Path("/run/netns", namespace(name)).open() as network:
        if _libc.setns(network.fileno(), _NETWORK):
            error = ctypes.get_errno()
            raise OSError(error, f"cannot enter the network of {name}: {os.strerror(error)}")
