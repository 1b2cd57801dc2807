"""The signed list of what may be installed, verified from the root this PC was enrolled with.

The one home of tuf on the agent: roll-back, freeze, mix-and-match and endless data are refused
here, whatever the server says (TUF specification 5.3 to 5.7; `tests/conformance` puts this class
before the public suite). What a name may hold is judged by whoever asks.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.ngclient import FetcherInterface, TargetFile, Updater, UpdaterConfig

from agent.wire.atomic import NO_ROOM
from agent.wire.https_errors import BadAnswer, HttpsError, Refused

__all__ = ["Get", "NotReached", "NotTrusted", "TargetFile", "Trusted"]

Get = Callable[[str, int], bytes]
"""Returns the body at a path, of at most so many bytes. Raises `HttpsError`."""


class NotTrusted(Exception):  # noqa: N818 - reads better where it is caught
    """What the server gives is not rightly signed, too old, too long or not there."""


class NotReached(NotTrusted):
    """The server cannot be asked now; what was verified before still holds."""


class Trusted:
    """One repository, as far as this PC trusts it; what is verified is kept in `folder`.

    Args:
        folder: Where verified metadata is kept, so that older ones are refused.
        root: The root metadata that was pinned when this PC was enrolled.
        get: How metadata and targets are fetched.
        base: The path of the metadata.
        prefixed: Whether names of targets begin with their hash, as ours do.
        delegations: Into how many lists of other signers it is looked; our repository has none.
    """

    def __init__(
        self,
        folder: Path,
        root: bytes,
        get: Get,
        base: str,
        *,
        prefixed: bool = True,
        delegations: int = 0,
    ) -> None:
        self._folder = folder
        self._root = root
        self._get = get
        self._base = base
        self._prefixed = prefixed
        self._delegations = delegations

    def refresh(self) -> None:
        """Bring the verified metadata up to date. Raises `NotTrusted`."""
        with _sorted():
            self._updater().refresh()

    def entry(self, name: str) -> TargetFile | None:
        """Return what the signed list says of a target now, None = nothing.

        Raises `NotTrusted`.
        """
        with _sorted():
            return self._updater().get_targetinfo(name)

    def content(self, entry: TargetFile, base: str) -> bytes:
        """Return a target's verified content, from below the path `base`. Raises `NotTrusted`."""
        name = entry.get_prefixed_paths()[0] if self._prefixed else entry.path
        with _sorted():
            raw = _Fetcher(self._get).download_bytes(base + name, entry.length)
            entry.verify_length_and_hashes(raw)
        return raw

    def _updater(self) -> Updater:
        self._folder.mkdir(parents=True, exist_ok=True)
        return Updater(
            metadata_dir=str(self._folder),
            metadata_base_url=self._base,
            fetcher=_Fetcher(self._get),
            config=UpdaterConfig(
                prefix_targets_with_hash=self._prefixed, max_delegations=self._delegations
            ),
            bootstrap=self._root,
        )


@contextmanager
def _sorted() -> Iterator[None]:
    """Turn what tuf raises into the two things that it means here; a full disk is neither."""
    try:
        yield
    except DownloadHTTPError as error:
        raise NotTrusted(f"the coordinator lacks a part of it ({error})") from None
    except DownloadError as error:
        raise NotReached(f"the coordinator cannot be asked: {error}") from None
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise NotTrusted(str(error)) from None
    except (RepositoryError, ValueError) as error:
        raise NotTrusted(str(error)) from None


class _Fetcher(FetcherInterface):
    """Gives tuf our own HTTPS; bodies stay in memory, within the length tuf allows."""

    def __init__(self, get: Get) -> None:
        self._get = get

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise NotImplementedError(url)  # download_bytes below is all that is used

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Return the body at `url`. Raises tuf's `DownloadError`s."""
        try:
            return self._get(url, max_length)
        except Refused as error:
            raise DownloadHTTPError(str(error), error.status) from None
        except BadAnswer as error:
            raise RepositoryError(str(error)) from None
        except HttpsError as error:
            raise DownloadError(str(error)) from None
