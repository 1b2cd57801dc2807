"""An application profile: how one app is closed, stopped, updated and checked.

Profiles are TOML, signed as targets, and read by both sides. What a profile may have run is a
list of typed actions: programs inside the app's own folder, units of the system's service
manager, nothing else. `read_profile` refuses what it does not know and names file, line and key.
"""

from dataclasses import dataclass
from enum import StrEnum


class ServiceManagerKind(StrEnum):
    """What the app's service manager is."""

    NONE = "none"
    PROGRAM = "program"  # a tray program in the user's session
    SYSTEMD = "systemd"


class DataScope(StrEnum):
    """Whose data it is."""

    HOST = "host"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class VersionReader:
    """Where an installed version is read: the first group of `pattern` in `file`."""

    file: str  # relative to the app's folder
    pattern: str


@dataclass(frozen=True, slots=True)
class App:
    """The app itself: where it is, which processes it is, how it is closed."""

    folders: tuple[str, ...]  # candidates, absolute; a host's agent.toml may name another
    programs: tuple[str, ...]  # relative to the folder, or a bare file name when from elsewhere
    version: VersionReader
    kill: bool  # whether the last rung of the close ladder may be used


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """The program or service that must be quit before the update and proven back after it."""

    kind: ServiceManagerKind
    programs: tuple[str, ...]
    start: tuple[str, ...]  # program relative to the app's folder, then its arguments
    unit: str
    version: VersionReader | None


@dataclass(frozen=True, slots=True)
class Health:
    """What must answer, for how long, before a host counts as back."""

    port: str  # a number or {name} of the host's values; "" = not asked
    http: str  # a URL on this host, with {name}s; "" = not asked
    http_pattern: str  # its first group must be the new version
    timeout_seconds: float
    soak_seconds: float


@dataclass(frozen=True, slots=True)
class Profile:
    """One application profile, whole."""

    name: str
    title: str
    help: str  # text or link shown with every failure
    app: App
    service_manager: ServiceManager
    updater_programs: tuple[str, ...]
    keep: tuple[str, ...]  # glob patterns below the app's folder, ** allowed
    backup: tuple[str, ...]  # glob patterns; () = the whole app folder
    data_scope: DataScope
    health: Health
    estimate_seconds: float  # of one visit, until a real one is known
    grace_seconds: float
    closed_while_others_update: bool
