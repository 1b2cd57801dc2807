"""The names of users. A name service may be asked far away, and may not answer for minutes.

Whoever asks waits a moment at most: until a name is told, the user's number stands for it. A
name that is known is never asked for again, and that a user has none only now and then.
"""

import pwd
import threading
import time
from collections.abc import Callable

_PATIENCE_SECONDS = 0.3
_ANEW_SECONDS = 60.0
_MOST_AT_ONCE = 4


def _asked(uid: int) -> str:
    return pwd.getpwuid(uid).pw_name


class Names:
    """Who has which number. Safe to use from several threads."""

    def __init__(
        self, ask: Callable[[int], str] = _asked, patience: float = _PATIENCE_SECONDS
    ) -> None:
        """Ask with `ask`, which raises `KeyError` for a user without a name."""
        self._ask = ask
        self._patience = patience
        self._lock = threading.Lock()
        self._names: dict[int, str] = {}
        self._nameless: dict[int, float] = {}  # until when that is taken for true
        self._asking: dict[int, threading.Event] = {}

    def name_of(self, uid: int) -> str:
        """Return the user's name; the number of one who has none, or none that is told yet."""
        name = self._names.get(uid)
        if name is None:
            self._find(uid)
            name = self._names.get(uid, str(uid))
        return name

    def _find(self, uid: int) -> None:
        with self._lock:
            is_known = time.monotonic() < self._nameless.get(uid, 0.0)
            if is_known or uid in self._asking or len(self._asking) >= _MOST_AT_ONCE:
                return
            waits = not self._asking and uid not in self._nameless
            told = self._asking[uid] = threading.Event()
            threading.Thread(target=self._learn, args=(uid,), name="names", daemon=True).start()
        if waits:  # but never twice for one name service that does not answer
            told.wait(self._patience)

    def _learn(self, uid: int) -> None:
        try:
            self._names[uid] = self._ask(uid)
        except (KeyError, OSError):
            self._nameless[uid] = time.monotonic() + _ANEW_SECONDS
        finally:
            with self._lock:
                self._asking.pop(uid).set()


_NAMES = Names()
name_of = _NAMES.name_of
