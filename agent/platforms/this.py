"""The platform of the host this runs on."""

import sys

from agent.platforms.base import Platform

if sys.platform == "linux":
    from agent.platforms.linux import Linux


def this_platform() -> Platform:
    """Return the platform of this host. Raises `OSError` for a system that has none yet."""
    if sys.platform == "linux":
        return Linux()
    raise OSError(f"cannot work on {sys.platform}: this agent knows Linux only")
