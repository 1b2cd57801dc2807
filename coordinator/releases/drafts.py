"""What waits to be signed: what is to go onto the list or off it, and its signatures so far.

The list that is handed out stays the same, byte for byte, until what is on it changes: so several
people can sign it, one after the other. When it does change, the signatures are dropped, since
nobody has seen the new list.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tuf.api.metadata import Metadata, TargetFile, Targets

from agent.wire.atomic import write_whole
from coordinator.releases.metadata import LIFETIMES, unsigned_targets
from coordinator.releases.signatures import parsed

_DRAFT, _PENDING = "draft.json", "pending.json"
_FRESH = dt.timedelta(days=1)  # a list that nobody has signed is dated anew after so long
_LEAST = dt.timedelta(days=30)  # one that somebody has signed, when it would live less than this


@dataclass(frozen=True, slots=True)
class Pending:
    """The list that waits; `dropped` signatures were lost when it last changed."""

    raw: bytes
    dropped: int = 0

    @property
    def metadata(self) -> Metadata[Targets]:
        """The list, with its signatures so far."""
        return parsed(Targets, self.raw)


class Drafts:
    """The drafts of one repository's folder."""

    def __init__(self, folder: Path) -> None:
        self._draft = folder / _DRAFT
        self._pending = folder / _PENDING

    def changes(self) -> dict[str, TargetFile | None]:
        """Return what is to change on the list, by name; None goes off it."""
        if not self._draft.exists():
            return {}
        raw = json.loads(self._draft.read_bytes())
        return {n: TargetFile.from_dict(entry, n) if entry else None for n, entry in raw.items()}

    def entries(self) -> dict[str, TargetFile]:
        """Return what was added since the last list, by name."""
        return _listed(self.changes())

    def withdrawn(self) -> frozenset[str]:
        """Return the names that the next list will not have any more."""
        return frozenset(name for name, entry in self.changes().items() if entry is None)

    def write(self, changes: Mapping[str, TargetFile | None]) -> None:
        """Write what waits."""
        raw = {name: entry.to_dict() if entry else None for name, entry in changes.items()}
        write_whole(self._draft, json.dumps(raw, indent=1).encode())

    def pending(self) -> Pending | None:
        """Return the list that was last handed out, None when nobody has asked since."""
        if not self._pending.exists():
            return None
        raw = json.loads(self._pending.read_bytes())
        return Pending(raw["list"].encode(), raw["dropped"])

    def hand_out(self, current: Targets, now: dt.datetime) -> Pending:
        """Return the list to be signed: the one handed out before while it still holds."""
        wanted, version = _listed(current.targets | self.changes()), current.version + 1
        old = self.pending()
        if old is not None and _holds(old.metadata, wanted, version, now):
            return old
        made = Pending(unsigned_targets(wanted, version, now), _lost(old, version))
        self.keep(made)
        return made

    def keep(self, pending: Pending) -> None:
        """Keep the list that waits, with its signatures."""
        raw = {"list": pending.raw.decode(), "dropped": pending.dropped}
        write_whole(self._pending, json.dumps(raw).encode())

    def forget(self) -> None:
        """Forget the list: it is published."""
        self._pending.unlink(missing_ok=True)


def _listed(every: Mapping[str, TargetFile | None]) -> dict[str, TargetFile]:
    return {name: entry for name, entry in every.items() if entry is not None}


def _holds(
    old: Metadata[Targets], wanted: Mapping[str, TargetFile], version: int, now: dt.datetime
) -> bool:
    left = old.signed.expires - now
    is_fresh = left > (_LEAST if old.signatures else LIFETIMES[Targets] - _FRESH)
    return old.signed.version == version and old.signed.targets == wanted and is_fresh


def _lost(old: Pending | None, version: int) -> int:
    """Return how many signatures are lost with a list; none when it was published."""
    if old is None or old.metadata.signed.version != version:
        return 0
    return len(old.metadata.signatures) or old.dropped
