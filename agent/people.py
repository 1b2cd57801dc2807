"""How people at this host are told, while no desktop program is there to tell them: in the log."""

import logging

_log = logging.getLogger(__name__)


class LoggedVoice:
    """A `Voice` that writes what it would show; a notice is written once, not at each renewal."""

    def __init__(self) -> None:
        self._shown = ""

    def notice(self, text: str, seconds_left: float) -> None:
        """Note that people were to be told."""
        if text != self._shown:
            self._shown = text
            _log.info("notice", extra={"text": text, "seconds_left": round(seconds_left)})

    def hush(self) -> None:
        """Note that the notice was taken away."""
        if self._shown:
            self._shown = ""
            _log.info("notice taken away")
