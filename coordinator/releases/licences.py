"""Entitlements as vendors have sent them: one file an app below the coordinator's home.

What is kept is the text as it came, with its signature, so that each time it is judged it is
read and verified anew, by the key that the profile of that moment names.
"""

import base64
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Signature, SSlibKey

from agent.wire.atomic import write_whole
from agent.wire.profile import Licence
from coordinator.planning.entitlement import (
    NOTHING_HELD,
    BadEntitlement,
    Entitlement,
    Held,
    read_entitlement,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """One entitlement as it came, who brought it, and when."""

    app: str
    text: str
    signature: str  # base64; "" = none came with it
    by: str
    at: float  # seconds since 1970

    @property
    def file(self) -> str:
        """What it is called in errors."""
        return f"{self.app}'s entitlement"


class Licences:
    """The entitlements of all apps, each in a file of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, kept: Kept) -> None:
        """Keep an entitlement instead of the app's last one; on the disk when it returns."""
        write_whole(self._path(kept.app), json.dumps(asdict(kept)).encode())

    def find(self, app: str) -> Kept | None:
        """Return an app's entitlement, None when there is none. Raises `OSError`, `ValueError`."""
        try:
            raw = self._path(app).read_bytes()
        except FileNotFoundError:
            return None
        try:
            return Kept(**json.loads(raw))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{self._path(app)} is damaged: {error}; add it again") from None

    def apps(self) -> list[str]:
        """Return the apps that have an entitlement."""
        return sorted(path.stem for path in self._folder.glob("[!.]*.json"))

    def held(self, app: str, licence: Licence) -> Held:
        """Return what is held for an app at this moment, or why it does not count."""
        try:
            kept = self.find(app)
            return Held(judged(kept, licence)) if kept else NOTHING_HELD
        except (OSError, ValueError) as error:
            return Held(problem=str(error))

    def _path(self, app: str) -> Path:
        return self._folder / f"{app}.json"


def judged(kept: Kept, licence: Licence) -> Entitlement:
    """Return the entitlement, whose signature is right where the profile names a key.

    Raises `BadEntitlement` (a `ValueError`).
    """
    entitlement = read_entitlement(kept.text, kept.file)
    if licence.key:
        _verify(kept, licence.key)
    return entitlement


def _verify(kept: Kept, key: str) -> None:
    if not kept.signature:
        raise BadEntitlement(f"{kept.file} is not signed, and its profile names the vendor's key")
    public = base64.b64decode(key).hex()
    vendor = SSlibKey("vendor", "ed25519", "ed25519", {"public": public})
    try:
        raw = base64.b64decode(kept.signature, validate=True)
        vendor.verify_signature(Signature("vendor", raw.hex()), kept.text.encode())
    except (ValueError, VerificationError, UnverifiedSignatureError):
        raise BadEntitlement(
            f"the signature of {kept.file} is wrong: it was changed, or another than the vendor "
            "has signed it"
        ) from None
