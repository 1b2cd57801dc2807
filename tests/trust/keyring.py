"""An office whose releases several people sign, each with a key of their own."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from agent.packages import SignedPackages
from agent.wire.contract import Target
from agent.wire.https import Https
from coordinator.releases.ceremony import (
    online_replacement,
    renewal,
    replacement,
    sign_change,
    without,
)
from coordinator.releases.changes import Change
from coordinator.releases.keys import fingerprint, make_signing_key, new_key, sign_with
from coordinator.releases.metadata import Holders
from coordinator.releases.packages import profile_name
from coordinator.releases.signatures import Progress
from tests.trust.office import PASSPHRASE, Office

PROFILE = Path("coordinator/profiles/starface.toml").resolve().read_bytes()
NAME = profile_name("starface")


@dataclass
class Keyring:
    """The keys of an office by the names of who has them; "init" is the first."""

    office: Office
    keys: dict[str, CryptoSigner] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys["init"] = make_signing_key(self.office.signing, PASSPHRASE)

    def key(self, name: str) -> CryptoSigner:
        """Return somebody's key, made when they have none."""
        if name not in self.keys:
            self.keys[name] = new_key(self.office.folder / "sticks" / name, PASSPHRASE)
        return self.keys[name]

    def fingerprint(self, name: str) -> str:
        return fingerprint(self.key(name))

    @property
    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.office.clock(), dt.UTC)

    @property
    def present(self) -> tuple[bytes, bytes]:
        changes = self.office.repository.changes
        return changes.root(), changes.targets()

    def ceremony(self, names: Iterable[str], threshold: int, old: Iterable[str] = ()) -> Progress:
        """Hand the signing over to some people."""
        people = list(names)
        holders = Holders(tuple(self.key(name).public_key for name in people), threshold)
        change = replacement(*self.present, holders, self.now)
        return self.propose(change, *(old or ["init"]), *people)

    def renew(self, *names: str) -> Progress:
        return self.propose(renewal(*self.present, self.now), *names)

    def replaced(self, gone: str, new: str) -> Change:
        holders = without(self.present[0], self.fingerprint(gone), self.key(new))
        return replacement(*self.present, holders, self.now)

    def online_replaced(self) -> Change:
        following = self.office.repository.changes.next_online_key()
        return online_replacement(self.present[0], following, self.now)

    def signed(self, change: Change, *names: str) -> Change:
        for name in names:
            change = sign_change(change, self.key(name))
        return change

    def propose(self, change: Change, *names: str) -> Progress:
        return self.office.repository.changes.propose(self.signed(change, *names))

    def publish(self, content: bytes, *names: str) -> tuple[Target, Progress]:
        """Add a profile and sign the list, one after the other."""
        target = self.office.repository.add(NAME, content)
        for name in names:
            raw = sign_with(self.office.repository.unsigned(), self.key(name))
            reached = self.office.repository.publish(raw)
        return target, reached


class Agent:
    """One enrolled host's client for signed packages, over real HTTPS."""

    def __init__(self, office: Office, name: str = "PC-01") -> None:
        self.state, self.id = office.enrol(name)
        self.https: Https = office.https(self.state)

    def accepts(self, target: Target) -> bool:
        """Read a target as a newly started agent; raises `Refused` when it is not accepted."""
        return SignedPackages(self.state, self.id, self.https).profile(target).name == "starface"


def publish(office: Office, content: bytes) -> Target:
    """Have a profile signed by the office's one signing key, and published."""
    target = office.repository.add(NAME, content)
    office.publish()
    return target
