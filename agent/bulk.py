"""Fetches the content of a package, by whichever of its transports costs the fewest bytes.

A package is its signed manifest. Its zip, its files as blobs and patches to them are only ways
to bring it here, from the coordinator or from a mirror, and none of them is believed.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agent.assembly import Assembly, Ways
from agent.download import Download
from agent.platforms.base import Spot
from agent.reuse import Kept
from agent.steps.table import Refused, Work
from agent.transfer import CutShort, Lie, Lines, Transfer
from agent.wire import places
from agent.wire.contract import Refusal
from agent.wire.https import Https
from agent.wire.https_errors import HttpsError
from agent.wire.manifest import Manifest
from agent.wire.mirror import Mirror
from agent.wire.parts import MOST_BYTES, Parts, read_parts

_log = logging.getLogger(__name__)


class Bulk:
    """Whom this host may fetch from; threads may share it."""

    def __init__(self, https: Https, host_id: str, mirrors: Sequence[str] = ()) -> None:
        self._https = https
        self._host_id = host_id
        self._mirrors = tuple(mirrors)

    def fetch(self, manifest: Manifest, ticket: str, work: Work) -> Path:
        """Return the package as one file, verified. Raises `Refused`."""
        with self._transfer(manifest, ticket, work) as transfer:
            return Download(manifest, transfer, work).run()

    def assemble(self, manifest: Manifest, ticket: str, work: Work, into: Path) -> bool:
        """Have the release in the folder `into`, of what this host has and what it lacks.

        Returns False when that cannot be, or would cost more than the package whole. Whatever is
        returned, what is in `into` is still to be verified. Raises `Refused` PACKAGE_ABSENT when
        the line is cut; what has come so far is used by the next try.
        """
        with self._transfer(manifest, ticket, work) as transfer:
            whole = Download(manifest, transfer, work).missing
            if not whole:
                return False
            assembly = Assembly(manifest, into, _kept(work, into), work)
            missing = assembly.reuse()
            work.fact("reused_bytes", str(assembly.reused))
            parts = self._parts(manifest, transfer) if missing else Parts(())
            return _completed(assembly, assembly.ways(missing, parts, whole), transfer)

    def _parts(self, manifest: Manifest, transfer: Transfer) -> Parts:
        """Return what the coordinator says there is to fetch singly; nothing when it says none."""
        path = places.PARTS + manifest.content_sha256
        try:
            raw = self._https.get_bytes(path, MOST_BYTES, transfer.headers)
            transfer.came += len(raw)
            return read_parts(raw)
        except (HttpsError, ValueError, RecursionError) as error:
            _log.info("no list of parts", extra={"why": str(error)})
            return Parts(())

    @contextmanager
    def _transfer(self, manifest: Manifest, ticket: str, work: Work) -> Iterator[Transfer]:
        headers = {
            places.TICKET_HEADER: ticket,
            places.HOST_HEADER: self._host_id,
            places.PACKAGE_HEADER: manifest.content_sha256,
        }
        with ExitStack() as held:
            mirrors = [held.enter_context(Mirror(url)) for url in self._mirrors]
            transfer = Transfer(Lines(self._https, headers, mirrors), work)
            try:
                yield transfer
            finally:
                work.fact("fetched_bytes", str(transfer.came))


def _completed(assembly: Assembly, ways: Ways | None, transfer: Transfer) -> bool:
    if ways is None:
        return False
    try:
        assembly.fetch(ways, transfer)
    except CutShort as error:
        why = f"cannot fetch the package: {error}; what has come is kept for the next try"
        raise Refused(Refusal.PACKAGE_ABSENT, why) from None
    except Lie as lie:
        _log.warning("package not put together", extra={"why": str(lie)})
        return False
    return True


def _kept(work: Work, into: Path) -> Kept:
    """Return what may hold files of a new release: the app, and what was taken out or ready."""
    ready = work.platform.names(Spot(work.folders.ready))
    ours = [name for name in ready if name.startswith(f"{work.profile.name}.")]
    folders = [work.installation.folder, work.folders.discarded]
    folders += [work.folders.ready / name for name in ours]
    return Kept(work, [folder for folder in folders if folder != into])
