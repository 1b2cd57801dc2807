"""A mirror: any web server with a copy of the coordinator's packages. Untrusted by design.

Nothing of ours is sent to it, no ticket and no name, and nothing that it says is believed: what
comes is compared with the signed manifest. So neither is its certificate asked for.
"""

import contextlib
import ssl
from collections.abc import Iterator, Mapping

import urllib3

from agent.wire.https import Stream, stream_of
from agent.wire.https_errors import Refused, sorted_errors

_SECONDS = 5.0  # to connect, and between two bytes: the coordinator is there, too


class Mirror:
    """One mirror, at the address below which `/packages/...` is; close it at the end."""

    def __init__(self, url: str, seconds: float = _SECONDS) -> None:
        self.url = url.rstrip("/")
        self._pool = urllib3.PoolManager(
            maxsize=1,
            retries=False,
            timeout=urllib3.Timeout(connect=seconds, read=seconds),
            ssl_context=_any_certificate(),
        )

    def __enter__(self) -> "Mirror":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return self.url

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._pool.clear()

    @contextlib.contextmanager
    def stream(self, path: str, start: int, _headers: Mapping[str, str]) -> Iterator[Stream]:
        """Yield the body from byte `start` on, like `Https.stream`; no header is sent along."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with sorted_errors(self.url):
            answer = self._pool.request(
                "GET",
                self.url + path,
                headers=headers,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        try:
            if answer.status not in {200, 206}:
                raise Refused(answer.status, "", f"the mirror {self.url} answers {answer.status}")
            yield stream_of(answer)
        finally:
            answer.close()


def _any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
