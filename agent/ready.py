"""Tells systemd that the guard is up (sd_notify): until then nobody is let log in.

The unit is ordered before log-in. Recovery after a power cut may take long, though; nobody is
kept out for longer than `READY_SECONDS` by it, with the guard on meanwhile.
"""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_log = logging.getLogger(__name__)
_ADDRESS = "NOTIFY_SOCKET"
READY_SECONDS = 20.0


@contextmanager
def told_ready(patience: float = READY_SECONDS) -> Iterator[None]:
    """Tell at the end of what is done inside, or when it takes longer than `patience`.

    What this program starts from here on is not this service, and is not told where to tell.
    """
    address = os.environ.pop(_ADDRESS, "")
    late = threading.Timer(patience, tell_ready, (address,))
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()
        late.join()
    tell_ready(address)


def tell_ready(address: str) -> None:
    """Tell whoever started this program and asked for it; nobody has, outside a service."""
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.connect("\0" + address[1:] if address.startswith("@") else address)
            to.send(b"READY=1")
    except OSError as error:
        _log.warning("cannot tell that the guard is up", extra={"why": str(error)})
