"""The platform of the host this runs on."""

import sys
from collections.abc import Collection

from agent.platforms.base import Platform
from agent.platforms.desktop import DesktopControl

if sys.platform == "linux":
    from agent.platforms.linux import Linux
    from agent.platforms.linux_desktops import LinuxDesktops


def this_platform() -> Platform:
    """Return the platform of this host. Raises `OSError` for a system that has none yet."""
    if sys.platform == "linux":
        return Linux()
    raise OSError(f"cannot work on {sys.platform}: this agent knows Linux only")


def these_desktops(only: Collection[str] | None) -> DesktopControl:
    """Return the desktops of this host, these screens only, None = all. Raises `OSError`."""
    if sys.platform == "linux":
        return LinuxDesktops(only)
    raise OSError(f"cannot work on {sys.platform}: this agent knows Linux only")
