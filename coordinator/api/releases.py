"""Packages and profiles: added by operators, signed elsewhere, published here."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from agent.package_paths import BadPackage
from agent.wire.contract import Target
from agent.wire.manifest import MOST_BYTES, write_manifest
from agent.wire.profile import Profile
from agent.wire.profile_reader import ProfileError, read_profile
from agent.wire.terms import NO_TERMS, Terms
from coordinator.api import withdrawing
from coordinator.api.asks import AppName, NoAsk, PackageAsk, ProfileAsk, PublishAsk
from coordinator.api.call import Call, Problem, Status
from coordinator.api.keys import progress
from coordinator.api.office import Office
from coordinator.api.schemas import (
    PackageView,
    ProfileView,
    PublishedView,
    TargetView,
    UnsignedView,
)
from coordinator.releases.actions import actions
from coordinator.releases.packages import Label, manifest_name, profile_name
from coordinator.releases.signatures import NotPublished
from coordinator.releases.titles import profile_in
from coordinator.store.rows import PackageRow
from coordinator.terms import read_terms
from coordinator.vendor_text import on_one_line, readable

PROFILES = "profiles/"
_APP = TypeAdapter[str](AppName)
SIGN = "roundsman release sign"
_PROFILE = "roundsman profile add FILE"
_SIGN_ANEW = f"{SIGN}, with a key that roundsman keys list shows: a replaced one is worth nothing"


@dataclass(frozen=True, slots=True)
class Brought:
    """What comes with a package: on which terms, with which notes, and who brings it."""

    by: str
    notes: str = ""
    terms: Terms = NO_TERMS


def add_package(office: Office, call: Call[PackageAsk]) -> PackageView:
    """Take in an uploaded package, to be signed next."""
    ask = call.ask
    if call.file is None:
        raise Problem(Status.BAD_REQUEST, "no package was sent")
    brought = Brought(call.who.name, readable(ask.notes), terms_of(ask.terms))
    return take_in(office, Label(ask.app, ask.version, ask.role, ask.system), call.file, brought)


def terms_of(text: str) -> Terms:
    """Return the terms that an operator gives, as JSON; "" = none. Raises `Problem`."""
    try:
        return read_terms(json.loads(text)) if text else NO_TERMS
    except (ValueError, RecursionError) as error:
        raise Problem(
            Status.INVALID, f"cannot use these terms: {on_one_line(str(error))}"
        ) from None


def take_in(office: Office, label: Label, file: Path, brought: Brought) -> PackageView:
    """Take in a package that is on the coordinator's disk, to be signed next."""
    try:
        manifest = office.packages.build(file, label, brought.terms)
    except BadPackage as error:
        raise Problem(Status.INVALID, str(error), "pack it again as a plain zip file") from None
    except OSError as error:
        why = f"cannot keep the package: {error.strerror}"
        raise Problem(
            Status.NO_SPACE, why, "make room on the coordinator's disk, add it again"
        ) from None
    raw = write_manifest(manifest)
    if len(raw) > MOST_BYTES:
        raise Problem(Status.INVALID, "cannot take the package: its list of files is too long")
    _refuse_other_content(office, label, raw)
    target = _draft(office, manifest_name(label), raw)
    row = PackageRow(
        target.name, target.sha256, label.app, label.version, label.role, label.system,
        manifest.content_size, target in office.repository.published(), brought.by,
        office.clock(), brought.notes,
    )  # fmt: skip
    office.catalogue.put_package(row)
    lost = {"dropped": office.repository.dropped(), "warning": without_profile(office, label.app)}
    return _package(row, signed=row.signed).model_copy(update=lost)


def _refuse_other_content(office: Office, label: Label, raw: bytes) -> None:
    name = manifest_name(label)
    signed = {t.name: t for t in office.repository.published()}
    rows = office.catalogue.packages(label.app, label.version)
    signed |= {r.target: Target(r.target, r.sha256) for r in rows if r.withdrawn and r.signed}
    if name in signed and signed[name] != _as_target(name, raw):
        raise Problem(
            Status.CONFLICT,
            f"cannot add {label.app} {label.version} for {label.role} on {label.system}: it is "
            "signed already, with other content or terms, and hosts may have it",
            "give the changed package a version of its own",
        )


def _as_target(name: str, raw: bytes) -> Target:
    return Target(name, hashlib.sha256(raw).hexdigest())


def _draft(office: Office, name: str, raw: bytes) -> Target:
    """Put a target among those to be signed; one that is on offer already is left alone."""
    target = _as_target(name, raw)
    if target not in office.repository.offered():
        office.repository.add(name, raw)
    return target


def packages(office: Office, call: Call[NoAsk]) -> list[PackageView]:
    """Return the packages, newest first, of one app or version or all."""
    signed = office.repository.published()
    rows = office.catalogue.packages(call.options.get("app", ""), call.options.get("version", ""))
    return [_package(r, signed=Target(r.target, r.sha256) in signed) for r in rows]


def _package(row: PackageRow, *, signed: bool) -> PackageView:
    return PackageView(
        app=row.app,
        version=row.version,
        role=row.role,
        system=row.system,
        size=row.size,
        sha256=row.sha256,
        target=row.target,
        signed=signed,
        added_by=row.added_by,
        at=row.at,
        notes=row.notes,
        withdrawn=withdrawing.in_words(row),
    )


def unsigned(office: Office, _call: Call[NoAsk]) -> UnsignedView:
    """Return the list that is to be signed, with what was added since the last one."""
    drafted = office.repository.drafted()
    published = [t for t in office.repository.offered() if t.name not in _names(drafted)]
    withdrawn = office.repository.withdrawn()
    waits = office.repository.waiting()
    return UnsignedView(
        unsigned=waits.raw.decode(),
        targets=[_target(t, new=True) for t in drafted]
        + [_target(t, new=False) for t in published],
        progress=progress(office.repository.progress()),
        dropped=waits.dropped,
        overtakes=office.repository.changes.waiting() is not None,
        withdrawn=[_target(t, new=False) for t in withdrawn],
    )


def content(office: Office, call: Call[NoAsk]) -> bytes:
    """Return the bytes of one target, so that whoever signs sees what it is."""
    wanted = Target(call.names["name"], call.options.get("sha256", ""))
    if wanted not in office.repository.drafted() + office.repository.published():
        raise Problem(Status.UNKNOWN, f"no target {wanted.name!r} with this content")
    return office.repository.content(wanted)


def publish(office: Office, call: Call[PublishAsk]) -> PublishedView:
    """Take a signed list: once signatures enough are there, agents accept what is on it."""
    before = office.repository.published()
    try:
        reached = office.repository.publish(call.ask.signed.encode())
    except NotPublished as error:
        raise Problem(Status.CONFLICT, str(error), _SIGN_ANEW) from None
    after = office.repository.published()
    office.catalogue.mark_signed([t.name for t in after])
    said = [_target(t, new=t not in before) for t in after]
    return PublishedView(targets=said, progress=progress(reached))


def profiles(office: Office, _call: Call[NoAsk]) -> list[ProfileView]:
    """Return the profiles that the coordinator has, signed or not yet."""
    signed, drafted = office.repository.published(), office.repository.drafted()
    every = sorted({*signed, *drafted}, key=lambda t: t.name)
    return [
        _profile(t, read_target(office, t), signed=t in signed)
        for t in every
        if t.name.startswith(PROFILES)
    ]


def add_profile(office: Office, call: Call[ProfileAsk]) -> ProfileView:
    """Take in a profile, to be signed next."""
    try:
        profile = read_profile(call.ask.text, call.ask.file)
        _APP.validate_python(profile.name)
    except ProfileError as error:
        raise Problem(Status.INVALID, str(error), "roundsman profile check FILE") from None
    except ValidationError:
        raise Problem(
            Status.INVALID, f"{call.ask.file}: profile.name: small letters, digits and dashes only"
        ) from None
    target = _draft(office, profile_name(profile.name), call.ask.text.encode())
    lost = {"dropped": office.repository.dropped()}
    signed = target in office.repository.published()
    return _profile(target, profile, signed=signed).model_copy(update=lost)


def read_target(office: Office, target: Target) -> Profile:
    """Return the profile that a target holds."""
    return profile_in(office.repository, target)


def signed_profile(office: Office, app: str) -> Target:
    """Return the signed profile of an app. Raises `Problem`."""
    name = profile_name(app)
    for target in office.repository.published():
        if target.name == name:
            return target
    if name in _names(office.repository.drafted()):
        raise Problem(Status.CONFLICT, f"the profile of {app} is not signed yet", SIGN)
    raise Problem(Status.UNKNOWN, f"no profile for an app {app!r}", _PROFILE)


def without_profile(office: Office, app: str) -> str:
    """Return what to say of a release whose app has no profile, signed or not; "" if it has."""
    if profile_name(app) in _names(office.repository.published() + office.repository.drafted()):
        return ""
    return f"there is no profile of {app} yet, and without one it cannot be planned: {_PROFILE}"


def signed_apps(office: Office) -> list[str]:
    """Return the apps that have a signed profile."""
    names = _names(office.repository.published())
    return sorted(
        name.removeprefix(PROFILES).removesuffix(".toml")
        for name in names
        if name.startswith(PROFILES)
    )


def _profile(target: Target, profile: Profile, *, signed: bool) -> ProfileView:
    return ProfileView(
        name=profile.name,
        title=profile.title,
        sha256=target.sha256,
        signed=signed,
        actions=actions(profile),
    )


def _target(target: Target, *, new: bool) -> TargetView:
    return TargetView(name=target.name, sha256=target.sha256, new=new)


def _names(targets: list[Target]) -> set[str]:
    return {target.name for target in targets}
