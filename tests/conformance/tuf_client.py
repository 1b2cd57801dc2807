"""Our client of signed metadata, spoken to as the public conformance suite of TUF speaks.

    pip install -e CHECKOUT-OF-TUF-CONFORMANCE
    pytest tuf_conformance --entrypoint "python -m tests.conformance.tuf_client"

What it does is `agent.trusted.Trusted`, as an agent uses it; only the line is another one: the
suite serves plain HTTP on loopback, and may name several targets. Exit codes: 0 done, 1 refused.
"""

import argparse
import hashlib
import http.client
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from agent.trusted import NotTrusted, TargetFile, Trusted
from agent.wire.https_errors import BadAnswer, Refused, Unreachable

_PINNED = "pinned-root"
_SECONDS = 10.0


def get(url: str, most: int) -> bytes:
    """Return a body of at most `most` bytes. Raises `HttpsError`, as the agent's HTTPS does."""
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
            body: bytes = answer.read(most + 1)
    except urllib.error.HTTPError as error:
        raise Refused(error.code, "", str(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(str(error)) from None
    if len(body) > most:
        raise BadAnswer(f"longer than {most} bytes")
    return body


def init(folder: Path, root: Path) -> None:
    """Pin a root, as enrolment does."""
    (folder / _PINNED).write_bytes(root.read_bytes())
    (folder / "root.json").write_bytes(root.read_bytes())


def trusted(given: argparse.Namespace) -> Trusted:
    """Return the client over the metadata of an earlier `init`."""
    root = (given.metadata_dir / _PINNED).read_bytes()
    return Trusted(given.metadata_dir, root, get, _folder(given.metadata_url), delegations=32)


def download(given: argparse.Namespace) -> None:
    """Fetch targets; one that is there already, and whole, is left. Raises `NotTrusted`."""
    client = trusted(given)
    for name in given.target_name:
        _download(client, name, given)


def _download(client: Trusted, name: str, given: argparse.Namespace) -> None:
    entry = client.entry(name)
    if entry is None:
        raise NotTrusted(f"{name} is not on the signed list")
    file = given.target_dir / f"target-{urllib.parse.quote(name, safe='')}"
    if not (file.exists() and _is(file.read_bytes(), entry)):
        file.write_bytes(client.content(entry, _folder(given.target_base_url)))


def _is(raw: bytes, entry: TargetFile) -> bool:
    return all(hashlib.new(name, raw).hexdigest() == sha for name, sha in entry.hashes.items())


def _folder(url: str) -> str:
    return url if url.endswith("/") else f"{url}/"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--metadata-url")
    parser.add_argument("--target-name", action="append", default=[])
    parser.add_argument("--target-base-url")
    parser.add_argument("--target-dir", type=Path)
    words = parser.add_subparsers(dest="word", required=True)
    words.add_parser("init").add_argument("root", type=Path)
    words.add_parser("refresh")
    words.add_parser("download")
    return parser


def main() -> int:
    """Do what the words say and return the exit code."""
    given = _parser().parse_args()
    try:
        if given.word == "init":
            init(given.metadata_dir, given.root)
        elif given.word == "refresh":
            trusted(given).refresh()
        else:
            download(given)
    except (NotTrusted, OSError) as error:
        sys.stderr.write(f"refused: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
