"""Where the coordinator keeps its things, and how it is reached: `coordinator.toml`.

The home folder is `--home`, else ROUNDSMAN_HOME, else the usual place for a program's data on
this system. Everything of the daemon lies below it. The only home of platformdirs is
`coordinator.folders`; the operator's own settings are `coordinator.access`.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from agent.wire.atomic import write_whole
from agent.wire.enrolment import Coordinator
from coordinator.complaint import Complaint
from coordinator.feed_settings import read_feeds, read_time_of_day
from coordinator.keep_settings import read_keep
from coordinator.mail_settings import MailSettings, read_mail
from coordinator.model import Keep

FILE = "coordinator.toml"
_MAIL, _FEEDS, _KEEP = "mail", "feeds", "keep"
_SECTIONS = {_MAIL, _FEEDS, _KEEP}
LINK_PORT, HTTPS_PORT = 7701, 7702
_HEAD = "# Where this coordinator is and how agents reach it; read when it starts.\n"
_MAIL_AS_NOTE = """
# Who is told by mail how rollouts go: take away the "# " of these lines, and write your own.
# [mail]
# host = "mail.example.org"
# security = "starttls"  # or "tls"; "none" only to a server on this machine
# sender = "roundsman@example.org"
# user = "roundsman"
# password_file = "/etc/roundsman/mail-password"  # its first line; readable by this user only
# recipients = ["boss@example.org"]  # told of every rollout
# language = "en"  # or "fr"
"""


class SettingsError(Complaint):
    """A settings file cannot be used; the text names the file and the key."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `serve` has to know."""

    home: Path
    listen: str = "0.0.0.0"  # agents dial in from the whole LAN
    link_port: int = LINK_PORT
    https_port: int = HTTPS_PORT
    addresses: tuple[str, ...] = ("localhost",)  # names or numbers that agents dial, in order
    database_url: str = ""  # "" = SQLite in the home folder
    coordinator_id: str = "main"
    site: str = "main"
    mail: MailSettings | None = None  # None = nobody is written to
    history_days: int = 30  # so long is kept who had what open, each step's story, what was sent
    keep: Keep = field(default_factory=Keep)  # of releases that are on offer no more
    feeds: Mapping[str, str] = field(default_factory=dict)  # by app, where its vendor tells
    feeds_at: str = ""  # when they are looked at each day, "06:30"; "" = when asked only

    @property
    def file(self) -> Path:
        """Where these settings are written down."""
        return self.home / FILE

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.database_file}"

    @property
    def database_file(self) -> Path:
        """The SQLite file, used when no other database is set."""
        return self.home / "roundsman.sqlite"

    @property
    def lock_file(self) -> Path:
        """Held by the one daemon of this home."""
        return self.home / "serve.lock"

    @property
    def ca_folder(self) -> Path:
        """The fleet's CA and the coordinator's own certificate."""
        return self.home / "ca"

    @property
    def signing_folder(self) -> Path:
        """The encrypted signing key; may be moved to a stick."""
        return self.home / "signing"

    @property
    def repository_folder(self) -> Path:
        """The signed metadata and targets."""
        return self.home / "repository"

    @property
    def licences_folder(self) -> Path:
        """What vendors have granted, one file an app."""
        return self.home / "licences"

    @property
    def packages_folder(self) -> Path:
        """The contents of packages, by SHA-256."""
        return self.home / "packages"

    @property
    def tickets_file(self) -> Path:
        """The key of the tickets with which agents fetch packages."""
        return self.home / "tickets.key"

    @property
    def reports_folder(self) -> Path:
        """The reports of rollouts."""
        return self.home / "reports"

    @property
    def log_folder(self) -> Path:
        """The daemon's log."""
        return self.home / "log"

    @property
    def https_addresses(self) -> tuple[str, ...]:
        """Where operators and agents ask, "host:port"."""
        return tuple(with_port(address, self.https_port) for address in self.addresses)

    @property
    def link_addresses(self) -> tuple[str, ...]:
        """Where agents dial in, "host:port"."""
        return tuple(with_port(address, self.link_port) for address in self.addresses)

    @property
    def coordinators(self) -> tuple[Coordinator, ...]:
        """Where agents dial in, and where they ask, in order."""
        pairs = zip(self.link_addresses, self.https_addresses, strict=True)
        return tuple(Coordinator(link, https) for link, https in pairs)


def with_port(address: str, port: int) -> str:
    """Return "host:port", an IPv6 number in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def read_settings(home: Path) -> Settings:
    """Return what `coordinator.toml` in `home` says. Raises `SettingsError`."""
    file = home / FILE
    if not file.exists():
        raise SettingsError(
            f"cannot find {file}",
            "roundsman init; its folder elsewhere: roundsman serve --home FOLDER",
        )
    given = read_toml(file, _KEYS)
    return Settings(home=home, **given)


def write_settings(settings: Settings) -> None:
    """Write `coordinator.toml`, whole or not at all."""
    lines = [f"{key} = {_toml(getattr(settings, key))}\n" for key in _KEYS if key not in _SECTIONS]
    lines += [
        "\n[keep]  # what is on offer no more goes after so many days, but for the last releases\n"
    ]
    lines += _section(asdict(settings.keep))
    if settings.feeds:
        lines += ["\n[feeds]\n", *_section(settings.feeds)]
    if settings.mail is not None:
        mail = {field.name: getattr(settings.mail, field.name) for field in fields(settings.mail)}
        lines += ["\n[mail]\n", *_section(mail)]
    else:
        lines.append(_MAIL_AS_NOTE)
    write_whole(settings.file, (_HEAD + "".join(lines)).encode())


def _section(given: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_toml(value)}\n" for key, value in given.items() if value]


Reader = Callable[[object], Any]
"""Returns the value, or raises `ValueError` saying what it must be."""


def read_toml(file: Path, keys: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the keys given in a flat TOML file. Raises `SettingsError`."""
    try:
        given = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise SettingsError(f"cannot read {file}: not TOML: {error}") from None
    for key in given:
        if key not in keys:
            raise SettingsError(f"cannot use {file}: {key}: unknown; known are {', '.join(keys)}")
    return {key: _value(file, key, keys[key], value) for key, value in given.items()}


def _value(file: Path, key: str, reader: Reader, value: object) -> Any:
    try:
        return reader(value)
    except ValueError as error:
        raise SettingsError(f"cannot use {file}: {key}: {error}") from None


def text(value: object) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text")
    return value


def _text_or_nothing(value: object) -> str:
    return "" if value == "" else text(value)


def _port(value: object) -> int:
    if type(value) is not int or not 0 < value < 65536:
        raise ValueError("must be a port, 1 to 65535")
    return value


def _days(value: object) -> int:
    if type(value) is not int or not 1 <= value <= 3650:
        raise ValueError("must be a number of days, 1 to 3650")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= 8:
        raise ValueError("must be a list of 1 to 8 texts")
    return tuple(text(item) for item in value)


_KEYS: dict[str, Reader] = {
    "listen": text,
    "link_port": _port,
    "https_port": _port,
    "addresses": _texts,
    "database_url": _text_or_nothing,
    "coordinator_id": text,
    "site": text,
    "history_days": _days,
    "feeds_at": read_time_of_day,
    _KEEP: read_keep,
    _FEEDS: read_feeds,
    _MAIL: read_mail,
}
"""Every key of `coordinator.toml`; each may be left out."""


def _toml(value: str | int | Path | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(quoted(item) for item in value)}]"
    return str(value) if isinstance(value, int) else quoted(str(value))


def quoted(value: str) -> str:
    """Return a text as TOML writes it."""
    plain = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
