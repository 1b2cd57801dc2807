"""A stolen coordinator says what is to be signed: what a signature would give away is refused."""

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import replace
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
from agent.wire.manifest import write_manifest
from coordinator.cli.signing import shown as in_lines
from coordinator.complaint import Complaint
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
from coordinator.releases.packages import Label, manifest_name
from coordinator.releases.repository import init_repository
from coordinator.releases.roots import as_bytes, chain_in_words, next_root
from coordinator.releases.signatures import NotPublished
from coordinator.signing import Vouched, read_list
from tests.trust.keyring import NAME as NAME_OF_PROFILE
from tests.trust.keyring import PROFILE
from tests.trust.office import PASSPHRASE, Office, make_zip

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


def shown(office: Office, name: str, content: bytes, ends: dt.datetime | None = None) -> Vouched:
    """Return what is shown of one target to whoever is to sign it."""
    office.repository.add(name, content)
    listed = Metadata[Targets].from_bytes(office.repository.unsigned())
    listed.signed.expires = ends or listed.signed.expires
    (seen,) = read_list(listed.to_bytes().decode(), lambda _name, _sha256: content)
    return seen


def test_a_package_is_shown_with_the_hash_that_its_vendor_may_tell(tmp_path: Path) -> None:
    zip_file = make_zip(tmp_path / "a.zip", {"app": b"1.1"})
    label = Label("office", "1.1", "workstation", "linux")
    office = Office(tmp_path / "office")
    raw = write_manifest(office.packages.build(zip_file, label))
    seen = shown(office, manifest_name(label), raw)
    assert seen.content == hashlib.sha256(zip_file.read_bytes()).hexdigest()
    assert seen.content in "".join(in_lines([seen]))
    with pytest.raises(Complaint, match=r"2\.0.* what the coordinator shows of it is .*1\.1"):
        shown(office, manifest_name(replace(label, version="2.0")), raw)


def test_a_profile_of_another_app_is_not_signed_under_a_harmless_name(tmp_path: Path) -> None:
    with pytest.raises(Complaint, match=r"cannot sign profiles/calc.toml: .* profiles/starface"):
        shown(Office(tmp_path), "profiles/calc.toml", PROFILE)


def test_a_list_without_an_end_is_not_signed(tmp_path: Path) -> None:
    far = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(Complaint, match="would be good until 01 January 9999"):
        shown(Office(tmp_path), NAME_OF_PROFILE, PROFILE, far)
