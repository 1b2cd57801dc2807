"""Where the box keeps its things, and by what names: several can be up side by side."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
FOLDER = Path(os.environ.get("ROUNDSMAN_LAN_FOLDER", PROJECT / "build/lan"))
"""What is generated; all of it can be made again."""
IMAGES = Path(os.environ.get("ROUNDSMAN_LAN_IMAGE", PROJECT / "build/lan/image"))
NET = os.environ.get("ROUNDSMAN_LAN_NET", "10.77")
"""The first two parts of every address; the third is 0."""
PREFIX = os.environ.get("ROUNDSMAN_LAN_PREFIX", "rl")
"""The beginning of the names of namespaces and control groups."""
HOSTS = FOLDER / "hosts"
SWITCH = f"{PREFIX}-switch"
SEAT = f"{PREFIX}-seat"


def namespace(name: str) -> str:
    """Return what the network namespace of "h3" or "seat" is called."""
    return f"{PREFIX}-{name}"
