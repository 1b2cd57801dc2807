"""Where vendors tell of their releases: section [feeds] of `coordinator.toml`, app by app.

A feed is an https address, or the whole path of a folder here (a share, say) with a `feed.json`
in it. docs/feed.md says what stands in a feed.
"""

import re
from pathlib import Path

_APP = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_ADDRESS = re.compile(r"https://[!-?A-~]{1,1900}")  # printable ASCII without "@"
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_MOST = 100


def read_feeds(value: object) -> dict[str, str]:
    """Return each app's feed. Raises `ValueError` naming the app and what it must be."""
    if not isinstance(value, dict) or len(value) > _MOST:
        raise ValueError(f"must be a section of at most {_MOST} feeds, [feeds]")
    for app, place in value.items():
        if not _APP.fullmatch(app):
            raise ValueError(f"{app!a}: must be an app, in small letters, digits and hyphens")
        if not isinstance(place, str) or not (_is_folder(place) or _ADDRESS.fullmatch(place)):
            raise ValueError(
                f"{app}: must be an https address without user and password, as "
                '"https://vendor.example/feed.json", or the whole path of a folder'
            )
    return dict(value)


def _is_folder(place: str) -> bool:
    return place.isprintable() and Path(place).is_absolute()


def read_time_of_day(value: object) -> str:
    """Return when feeds are looked at each day, "" = never by themselves. Raises `ValueError`."""
    if value == "" or (isinstance(value, str) and _CLOCK.fullmatch(value)):
        return str(value)
    raise ValueError('must be a time of day, as "06:30", or ""')
