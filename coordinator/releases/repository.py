"""The signed repository that agents read: what may be installed, and nothing else.

    add, withdraw -> unsigned -> (sign, anywhere, with one signing key after the other) -> publish

A list that has too few signatures waits in `drafts`; one that has enough is written as `shelf`
says, so a power cut leaves the repository as it was before, or as it is after.
"""

import datetime as dt
import hashlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, TargetFile, Targets

from agent.wire.codec import decode
from agent.wire.contract import Target
from coordinator.releases.changes import Changes
from coordinator.releases.drafts import Drafts, Pending
from coordinator.releases.keys import online_key
from coordinator.releases.metadata import (
    make_root,
    make_snapshot,
    make_timestamp,
    unsigned_targets,
)
from coordinator.releases.shelf import ONLINE_KEY, Shelf, moment, write
from coordinator.releases.signatures import (
    NotPublished,
    Progress,
    counted,
    is_worthless,
    parsed,
    progress,
    standing,
    together,
)

_NOT_OURS = (
    "cannot publish: the list is not signed with the signing key of this fleet, "
    "or was changed after it was signed"
)


@dataclass(frozen=True, slots=True)
class RootOfTrust:
    """What a host pins when it is enrolled."""

    version: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RoleStanding:
    """Who signs one kind of metadata, and until when it is good."""

    fingerprints: tuple[str, ...]
    threshold: int
    expires: dt.datetime


def init_repository(
    folder: Path, signing: CryptoSigner, clock: Callable[[], float] = time.time
) -> "Repository":
    """Make the repository of `folder`, with nothing in it; one that is there is left alone."""
    if not is_repository(folder):
        now = moment(clock)
        online = online_key(folder / ONLINE_KEY)
        metadata = folder / "metadata"
        listed = Metadata[Targets].from_bytes(unsigned_targets({}, 1, now))
        listed.sign(signing)
        targets = listed.to_bytes()
        snapshot = make_snapshot((1, targets), 1, online, now)
        write(metadata / "1.root.json", make_root(signing, online, now))
        write(metadata / "1.targets.json", targets)
        write(metadata / "1.snapshot.json", snapshot)
        write(metadata / "timestamp.json", make_timestamp((1, snapshot), 1, online, now))
    return Repository(folder, clock)


def is_repository(folder: Path) -> bool:
    """True when `init_repository` has once come to its end there."""
    return (folder / "metadata" / "timestamp.json").exists()


class Repository:
    """One repository; the daemon is the only one that writes it."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._shelf = Shelf(folder, clock)
        self._drafts = Drafts(folder)
        self.lock = threading.RLock()  # held while it changes
        self.changes = Changes(self._shelf, self.lock)

    @property
    def folder(self) -> Path:
        """Where `metadata/` and `targets/` lie, both to be served as they are."""
        return self._folder

    def root_of_trust(self) -> RootOfTrust:
        """Return what enrolment tokens carry: the present root."""
        with self.lock:
            version = self._shelf.root_version()
            raw = self._shelf.root_bytes(version)
        return RootOfTrust(version, hashlib.sha256(raw).hexdigest())

    def add(self, name: str, content: bytes) -> Target:
        """Put a target among those to be signed next; agents see it once it is published.

        A list that waits for further signatures loses those that it has: it is another one now.
        Raises `BadMessage` (a `ValueError`) for a name that no order could carry.
        """
        digest = hashlib.sha256(content).hexdigest()
        target = decode(Target, {"name": name, "sha256": digest})
        entry = TargetFile.from_data(name, content, ["sha256"])
        with self.lock:
            write(self._target_path(entry), content)
            changes = self._drafts.changes() | {name: entry}
            if self._shelf.targets().targets.get(name) == entry:
                del changes[name]  # it is on the list, and stays there
            self._change(changes)
        return target

    def withdraw(self, targets: Collection[Target]) -> None:
        """Have targets off the next list; agents refuse them once that is published.

        What was added and not signed yet is signed no more. A list that waits for further
        signatures loses those that it has.
        """
        with self.lock:
            published = set(self.published())
            changes = self._drafts.changes()
            added = [n for n, e in changes.items() if e is not None and _target(e) in targets]
            for name in added:
                del changes[name]
            self._change(changes | {t.name: None for t in targets if t in published})

    def _change(self, changes: Mapping[str, TargetFile | None]) -> None:
        self._drafts.write(changes)
        if self._drafts.pending() is not None:
            self.waiting()

    def drafted(self) -> list[Target]:
        """Return the targets that wait for a signature, by name."""
        return [_target(entry) for _, entry in sorted(self._drafts.entries().items())]

    def published(self) -> list[Target]:
        """Return the targets that agents accept, by name."""
        return [_target(entry) for _, entry in sorted(self._shelf.targets().targets.items())]

    def offered(self) -> list[Target]:
        """Return those of them that may still be installed: nobody has withdrawn them."""
        withdrawn = self._drafts.withdrawn()
        return [target for target in self.published() if target.name not in withdrawn]

    def withdrawn(self) -> list[Target]:
        """Return those of them that agents refuse once the next list is signed."""
        withdrawn = self._drafts.withdrawn()
        return [target for target in self.published() if target.name in withdrawn]

    def content(self, target: Target) -> bytes:
        """Return the bytes of a drafted or published target. Raises `OSError`."""
        return self.path_of(target).read_bytes()

    def path_of(self, target: Target) -> Path:
        """Return where the bytes of a target are, or would be."""
        return self._target_path(TargetFile(0, {"sha256": target.sha256}, target.name))

    def versions(self) -> dict[str, int]:
        """Return the present version of the metadata that is followed by others most often."""
        return {one.type: one.version for one in (self._shelf.snapshot(), self._shelf.targets())}

    def waiting(self) -> Pending:
        """Return the list that is to be signed, with its signatures so far."""
        with self.lock:
            return self._drafts.hand_out(self._shelf.targets(), self._shelf.now())

    def dropped(self) -> int:
        """Return how many signatures the list that waits has lost, since it is another one now."""
        pending = self._drafts.pending()
        return pending.dropped if pending else 0

    def unsigned(self) -> bytes:
        """Return the whole list, with what was added, as it is to be signed."""
        return self.waiting().raw

    def progress(self) -> Progress:
        """Return how far the signatures of the list that waits have come."""
        with self.lock:
            root = self._shelf.root()
            return progress(standing(self.waiting().metadata, Targets.type, [root]))

    def publish(self, signed: bytes) -> Progress:
        """Take a signed list: once it has signatures enough, agents read it from now on.

        One that has too few is kept, with those that it has. Raises `NotPublished`.
        """
        with self.lock:
            come, waits = parsed(Targets, signed), self._drafts.pending()
            kept = waits.metadata if waits else None
            both = together(kept, come)
            found = standing(both, Targets.type, [self._shelf.root()])
            reached = progress(found)
            if is_worthless(kept, come, reached):
                raise NotPublished(_NOT_OURS)
            self._judge(both.signed, reached, kept)
            whole = counted(both, found)
            if reached.missing:
                self._drafts.keep(Pending(whole))
                return reached
            self._put(both.signed, whole)
            return replace(reached, published=True)

    def refresh(self) -> None:
        """Give the metadata that lives for days its next version; to be called daily.

        A week-long gap is no harm: the next call mends it. So is a change of keys that was cut.
        """
        with self.lock:
            self.changes.finish()
            self._shelf.refresh()

    def roles(self) -> dict[str, RoleStanding]:
        """Return which keys sign what, how many of them it takes, and until when it is good."""
        named = self._shelf.root().roles
        return {
            kind: RoleStanding(tuple(named[kind].keyids), named[kind].threshold, expires)
            for kind, expires in self.expiries().items()
        }

    def expiries(self) -> dict[str, dt.datetime]:
        """Return when each role's metadata expires; targets and root need the signing key."""
        shelf = self._shelf
        every = (shelf.root(), shelf.targets(), shelf.snapshot(), shelf.timestamp())
        return {role.type: role.expires for role in every}

    def _judge(self, listed: Targets, reached: Progress, kept: Metadata[Targets] | None) -> None:
        if listed.version != self._shelf.targets().version + 1:
            raise NotPublished(
                "cannot publish: another list was published since this one was made; "
                "sign the present one with roundsman release sign"
            )
        if listed.is_expired(self._shelf.now()):
            raise NotPublished("cannot publish: the list expired before it came; sign it again")
        if reached.missing and (kept is None or kept.signed != listed):
            raise NotPublished(
                f"cannot keep this signature: it takes {reached.threshold}, and the list has "
                "changed since it was made; sign the present one with roundsman release sign"
            )
        self._judge_complete(listed)

    def _judge_complete(self, listed: Targets) -> None:
        for name, entry in listed.targets.items():
            try:
                with self._target_path(entry).open("rb") as file:
                    entry.verify_length_and_hashes(file)
            except (OSError, RepositoryError):
                raise NotPublished(
                    f"cannot publish: the content of {name} is not here, or damaged; add it again"
                ) from None

    def _put(self, listed: Targets, signed: bytes) -> None:
        self._shelf.put_targets(listed.version, signed)
        drafted = self._drafts.changes().items()
        self._drafts.write({n: e for n, e in drafted if listed.targets.get(n) != e})
        self._drafts.forget()
        self.changes.forget_outdated()

    def _target_path(self, entry: TargetFile) -> Path:
        return self._folder / "targets" / entry.get_prefixed_paths()[0]


def _target(entry: TargetFile) -> Target:
    return Target(entry.path, entry.hashes["sha256"])
