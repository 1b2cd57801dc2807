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


class VersionKind(StrEnum):
    """Where an installed version is read."""

    FILE = "file"  # below the app's folder
    DPKG = "dpkg"  # the version of an installed Debian package
    HTTP = "http"  # a page of this host
    PROGRAM = "program"  # what a program in the app's folder prints, run as an ordinary user
    REGISTRY = "registry"  # Windows: a value of the registry
    BUNDLE = "bundle"  # macOS: an application bundle


@dataclass(frozen=True, slots=True)
class VersionReader:
    """How an installed version is read: the first group of `pattern` in what `source` says."""

    kind: VersionKind
    source: str  # file or program below the app's folder, package, URL, registry value, bundle
    pattern: str = "(.+)"
    arguments: tuple[str, ...] = ()  # of a program


class ApplyKind(StrEnum):
    """How a release is put in place."""

    REPLACE_FOLDER = "replace-folder"  # two renames; the old folder is the way back
    INSTALLER = "installer"  # a program from the signed package; the backup is the way back
    PACKAGE = "package"  # the system's own package (dpkg); the old package is the way back
    ATTENDED = "attended"  # from inside the app, by the person at the workstation (row I8)


class ExitMeaning(StrEnum):
    """What an installer says when it ends."""

    DONE = "done"
    NEEDS_REBOOT = "needs-reboot"  # done, and whole after a restart of the host
    RETRY_LATER = "retry-later"  # another installation runs
    CANCELLED = "cancelled"
    FAILED = "failed"  # every code that the profile does not name


@dataclass(frozen=True, slots=True)
class Apply:
    """How a release is put in place, and what of the old one is carried over."""

    kind: ApplyKind
    keep: tuple[str, ...] = ()  # glob patterns below the app's folder, ** allowed: copied over
    stay: tuple[str, ...] = ()  # names right in the app's folder that are left where they are
    program: str = ""  # installer: its path in the package
    arguments: tuple[str, ...] = ()  # installer
    exit_codes: tuple[tuple[int, ExitMeaning], ...] = ((0, ExitMeaning.DONE),)  # installer
    package: str = ""  # package: its name in dpkg
    open: tuple[str, ...] = ()  # attended: program below the app's folder, and its arguments
    limit_seconds: float = 1800.0  # installer, package, attended: how long it may take


@dataclass(frozen=True, slots=True)
class Backup:
    """What is backed up, how many backups are kept, and whether they are encrypted at rest."""

    include: tuple[str, ...] = ()  # glob patterns; () = the whole app folder
    keep_last: int = 2
    encrypt: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """The app's data: where it is, whose it is, and whether the old release reads the new one's.

    `host`: `folders` are names right in the app's folder, carried over like `keep`; a roll-back
    brings the old folder's back and keeps what the new release wrote as `<name>.<rollout>`.
    `shared`: `folders` are absolute folders on the host with the role `holder`, or names right
    in its app folder, left where they are by the swap.
    """

    scope: DataScope = DataScope.HOST
    folders: tuple[str, ...] = ()
    holder: str = ""  # role of the host that holds shared data
    old_reads_new: bool = False


class Windowless(StrEnum):
    """What becomes of a process of the app that has no window: a nightly import, a timer."""

    WAIT = "wait"  # it is waited for, and named to the operator
    END = "end"  # it is ended like the others


class Unattended(StrEnum):
    """What becomes of the app in a session where nobody can answer.

    It is locked or disconnected, or its person is away by the profile's measure.
    """

    CLOSE = "close"  # closed like the others; of who is away politely before the others
    ASK = "ask"  # left open, and named to the operator


@dataclass(frozen=True, slots=True)
class Close:
    """How the app is closed and kept closed, and whether it is opened again."""

    quit: tuple[str, ...] = ()  # the app's own quit command: program below its folder, arguments
    windowless: Windowless = Windowless.WAIT
    unattended: Unattended = Unattended.CLOSE
    away_minutes: int = 0  # so long neither keyboard nor mouse = away; 0 = nobody ever is
    autosave: tuple[str, ...] = ()  # patterns below the user's home: copied before a forced end
    block: bool = False  # its files cannot be started while it is kept closed
    reopen: bool = False  # who had it open gets it back


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
class Modules:
    """Where the app's modules are, and how the version of each is read.

    Every folder right in `folder` is one module, called as that folder is.
    """

    folder: str  # right in the app's folder
    version: VersionReader  # of a file, below the module's own folder


@dataclass(frozen=True, slots=True)
class Licence:
    """Whether an entitlement must be there before a release is installed, and who signs it."""

    required: bool = False
    key: str = ""  # the vendor's public key (Ed25519, base64); "" = it need not be signed


@dataclass(frozen=True, slots=True)
class Profile:
    """One application profile, whole."""

    name: str
    title: str
    help: str  # text or link shown with every failure
    app: App
    close: Close
    service_manager: ServiceManager
    updater_programs: tuple[str, ...]
    apply: Apply
    backup: Backup
    data: Data
    health: Health
    estimate_seconds: float  # of one visit, until a real one is known
    grace_seconds: float
    closed_while_others_update: bool
    server_first: str = ""  # role that is updated first; then others may open it on the old one
    modules: Modules | None = None  # None = the app has none
    licence: Licence = Licence()
    reach: tuple[str, ...] = ()  # "host:port", with {name}s: what a workstation must reach
