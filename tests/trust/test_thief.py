"""A stolen coordinator says what is to be signed: what a signature would give away is refused."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
)

from agent.trusted import Trusted
from agent.wire.https_errors import Refused
from coordinator.releases.keys import (
    SIGNING_KEY,
    KeyProblem,
    describe,
    make_signing_key,
    online_key,
    sign,
    sign_with,
)
from coordinator.releases.metadata import make_root, make_timestamp
from coordinator.releases.repository import init_repository
from coordinator.releases.roots import as_bytes, chain_in_words, next_root
from coordinator.releases.signatures import NotPublished
from tests.trust.office import PASSPHRASE

NAME = "packages/office/9.9/workstation-linux.json"
WEEK = dt.timedelta(days=7)


@pytest.fixture
def thief() -> CryptoSigner:
    return CryptoSigner.generate_ed25519()


@pytest.fixture
def holder(tmp_path: Path) -> tuple[Path, CryptoSigner]:
    """Return the key that signs, and the file that it is in."""
    return tmp_path / "signing" / SIGNING_KEY, make_signing_key(tmp_path / "signing", PASSPHRASE)


def delegating(raw: bytes, thief: CryptoSigner) -> bytes:
    """Return the list that is to be signed, with one more signer of packages in it."""
    listed, key = Metadata[Targets].from_bytes(raw), thief.public_key
    role = DelegatedRole("x", [key.keyid], 1, terminating=True, paths=["packages/*/*/*"])
    listed.signed.delegations = Delegations({key.keyid: key}, {"x": role})
    return listed.to_bytes()


def test_a_list_that_lets_another_key_sign_is_not_signed(
    tmp_path: Path, thief: CryptoSigner, holder: tuple[Path, CryptoSigner]
) -> None:
    key, signer = holder
    raw = delegating(init_repository(tmp_path, signer).unsigned(), thief)
    acts: tuple[Callable[[], object], ...] = (
        lambda: describe(raw),
        lambda: sign(raw, key, PASSPHRASE),
    )
    for act in acts:
        with pytest.raises(KeyProblem, match="let other keys say what may be installed"):
            act()


@pytest.mark.parametrize("role", ["targets", "snapshot"])
def test_a_root_that_gives_a_role_to_another_key_is_not_put_into_words(
    thief: CryptoSigner, holder: tuple[Path, CryptoSigner], role: str
) -> None:
    now = dt.datetime.now(dt.UTC)
    present = make_root(holder[1], CryptoSigner.generate_ed25519(), now)
    following = next_root(Metadata[Root].from_bytes(present).signed, now)
    assert chain_in_words([present, as_bytes(following)])
    following.add_key(thief.public_key, role)
    with pytest.raises(NotPublished, match="must be signed by the same keys"):
        chain_in_words([present, as_bytes(following)])


def test_an_agent_looks_at_no_list_but_the_one_that_the_root_names(
    tmp_path: Path, thief: CryptoSigner, holder: tuple[Path, CryptoSigner]
) -> None:
    repository = init_repository(tmp_path / "there", holder[1])
    metadata, now = repository.folder / "metadata", dt.datetime.now(dt.UTC)
    entry = TargetFile.from_data(NAME, b"of the thief", ["sha256"])
    own = Metadata(Targets(1, expires=now + WEEK, targets={NAME: entry}))
    own.sign(thief)
    lists = {
        "2.targets.json": sign_with(delegating(repository.unsigned(), thief), holder[1]),
        "1.x.json": own.to_bytes(),
    }
    said = {
        name.partition(".")[2]: MetaFile.from_data(int(name[0]), raw, ["sha256"])
        for name, raw in lists.items()
    }
    snapshot = Metadata(Snapshot(2, expires=now + WEEK, meta=said))
    online = online_key(repository.folder / "online-key.pem")
    snapshot.sign(online)
    lists["2.snapshot.json"] = snapshot.to_bytes()
    lists["timestamp.json"] = make_timestamp((2, snapshot.to_bytes()), 2, online, now)
    for name, raw in lists.items():
        (metadata / name).write_bytes(raw)

    def get(path: str, _most: int) -> bytes:
        if not (repository.folder / path).exists():
            raise Refused(404, "", path)
        return (repository.folder / path).read_bytes()

    root = (metadata / "1.root.json").read_bytes()
    assert Trusted(tmp_path / "state", root, get, "metadata/").entry(NAME) is None
    assert Trusted(tmp_path / "other", root, get, "metadata/", delegations=1).entry(NAME)
