"""Noon of today, for tests of what must come before or after in one day, whatever the time is."""

from datetime import datetime


def to_noon() -> float:
    """Return in how many seconds it is noon of today, here; negative when it was."""
    now = datetime.now().astimezone()
    return now.replace(hour=12, minute=0, second=0, microsecond=0).timestamp() - now.timestamp()
