"""Makes a coordinator: folders, CA, keys, repository, database, the first operator's access.

Each thing is made only when it is not there, in an order in which a power cut leaves nothing
half-made that a second run would take for whole. So running it twice changes nothing.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from coordinator.access import (
    CA_FILE,
    OPERATOR_FILE,
    Access,
    new_token,
    read_access,
    token_hash,
    write_access,
)
from coordinator.api.roles import OperatorRole
from coordinator.complaint import Complaint
from coordinator.fleet.ca import Authority
from coordinator.releases.keys import SIGNING_KEY, KeyProblem, make_signing_key
from coordinator.releases.repository import init_repository, is_repository
from coordinator.settings import Settings, read_settings, with_port, write_settings
from coordinator.store.database import DatabaseError, open_database
from coordinator.store.fleet import People

Passphrase = Callable[[], str]
"""Asked for only when the signing key has to be made or used."""


@dataclass(frozen=True, slots=True)
class Made:
    """One thing of the coordinator: where it is, and whether it was made just now."""

    what: str
    where: Path
    new: bool


def set_up(
    settings: Settings, operator_folder: Path, operator: str, passphrase: Passphrase
) -> list[Made]:
    """Make whatever is not there yet. Raises `Complaint`; what was made until then stays.

    Args:
        settings: How the coordinator is to be; those of an existing `coordinator.toml` hold.
        operator_folder: The first operator's own folder, for his access.
        operator: His name in the audit trail.
        passphrase: Returns the signing key's passphrase.
    """
    try:
        return list(_steps(settings, operator_folder, operator, passphrase))
    except OSError as error:
        raise Complaint(
            f"cannot make {error.filename or settings.home}: {error.strerror}",
            "choose a folder of your own: roundsman init --home FOLDER",
        ) from None


def _steps(
    settings: Settings, operator_folder: Path, operator: str, passphrase: Passphrase
) -> Iterator[Made]:
    yield _folders(settings)
    if settings.file.exists():
        settings = read_settings(settings.home)
    authority, made = _authority(settings)
    _refuse_other_fleet(operator_folder, authority)
    yield made
    yield from _repository(settings, passphrase)
    database = _database(settings)
    yield database
    if database.new and (operator_folder / OPERATOR_FILE).exists():
        _know(settings, operator, read_access(operator_folder).token)
    yield _access(settings, authority, operator_folder, operator)
    yield _settings_file(settings)  # last: with it the coordinator is whole


def _folders(settings: Settings) -> Made:
    folders = (
        settings.home,
        settings.ca_folder,
        settings.signing_folder,
        settings.repository_folder,
        settings.packages_folder,
        settings.reports_folder,
        settings.log_folder,
    )
    new = not settings.home.exists()
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.name == "posix" and folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    return Made("home", settings.home, new)


def _authority(settings: Settings) -> tuple[Authority, Made]:
    folder = settings.ca_folder
    new = not (folder / "ca.pem").exists()
    mend = f"put back {folder} from your backup"
    if not new and not (folder / "ca-key.pem").exists():
        raise Complaint(f"cannot use the CA in {folder}: its key is not there", mend)
    try:
        authority = Authority.open(folder)
        authority.issue_coordinator(folder, settings.coordinator_id)
    except (ValueError, TypeError) as error:
        raise Complaint(str(error), mend) from None
    return authority, Made("CA and coordinator certificate", folder, new)


def _repository(settings: Settings, passphrase: Passphrase) -> Iterator[Made]:
    key = settings.signing_folder / SIGNING_KEY
    new_key, new = not key.exists(), not is_repository(settings.repository_folder)
    if new:
        try:
            signer = make_signing_key(settings.signing_folder, passphrase())
        except KeyProblem as error:
            raise Complaint(str(error), "roundsman init, with another passphrase") from None
        init_repository(settings.repository_folder, signer)
    kept = "signing key, encrypted" if key.exists() else "signing key, kept elsewhere"
    yield Made(kept, key, new and new_key)
    yield Made("repository of signed releases", settings.repository_folder, new)


def _database(settings: Settings) -> Made:
    new = bool(settings.database_url) or not settings.database_file.exists()
    if new:
        _with_people(settings, lambda _people: None)
    return Made("database", settings.database_file, new and not settings.database_url)


def _access(settings: Settings, authority: Authority, folder: Path, operator: str) -> Made:
    file = folder / OPERATOR_FILE
    if file.exists():
        return Made("operator's token", file, new=False)
    token = new_token()
    _know(settings, operator, token)
    address = with_port(_NEAREST.get(settings.listen, settings.listen), settings.https_port)
    access = Access(address, folder / CA_FILE, token)
    write_access(folder, access, authority.certificate_pem)
    return Made("operator's token", file, new=True)


_NEAREST = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where one who sits at the coordinator finds it when it listens everywhere."""


def _know(settings: Settings, operator: str, token: str) -> None:
    role, hashed = OperatorRole.ADMIN, token_hash(token)
    _with_people(settings, lambda people: people.put_operator(operator, role, hashed))


def _settings_file(settings: Settings) -> Made:
    new = not settings.file.exists()
    if new:
        write_settings(settings)
    return Made("settings", settings.file, new)


def _with_people(settings: Settings, act: Callable[[People], None]) -> None:
    try:
        database = open_database(settings.database)
    except DatabaseError as error:
        raise Complaint(str(error)) from None
    try:
        act(People(database))
    finally:
        database.dispose()


def _refuse_other_fleet(folder: Path, authority: Authority) -> None:
    """Raise when this user's access is to another coordinator: it would be lost."""
    if not (folder / OPERATOR_FILE).exists():
        return
    access = read_access(folder)
    if not access.ca.exists() or access.ca.read_bytes() != authority.certificate_pem:
        raise Complaint(
            f"cannot write {folder / OPERATOR_FILE}: it gives access to another coordinator, at "
            f"{access.address}",
            "choose another folder: ROUNDSMAN_CONFIG=FOLDER roundsman init",
        )
