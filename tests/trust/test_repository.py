import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import SSlibKey
from tuf.api.metadata import Metadata, Root

from agent.wire.codec import BadMessage
from coordinator.releases.keys import (
    SIGNING_KEY,
    KeyProblem,
    describe,
    make_signing_key,
    sign,
)
from coordinator.releases.repository import Repository, init_repository
from coordinator.releases.signatures import NotPublished
from tests.trust.office import PASSPHRASE, Clock

DAY = 86400


class Fleet:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.key = folder / "signing" / SIGNING_KEY
        self.repository = self.open()

    def open(self) -> Repository:
        signer = make_signing_key(self.folder / "signing", PASSPHRASE)
        return init_repository(self.folder / "releases", signer, self.clock)

    def sign(self, raw: bytes) -> bytes:
        return sign(raw, self.key, PASSPHRASE)

    def files(self) -> dict[str, bytes]:
        every = (self.folder / "releases").rglob("*")
        return {str(path): path.read_bytes() for path in every if path.is_file()}


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_made_twice_nothing_changes(fleet: Fleet) -> None:
    before = fleet.files()
    fleet.open()
    assert fleet.files() == before


def test_a_repository_whose_making_was_cut_is_made_whole(fleet: Fleet) -> None:
    (fleet.folder / "releases" / "metadata" / "timestamp.json").unlink()
    fleet.open().refresh()


def test_what_is_added_is_published_once_signed(fleet: Fleet) -> None:
    target = fleet.repository.add("profiles/standin.toml", b"one")
    assert fleet.repository.published() == []
    assert fleet.repository.drafted() == [target]
    fleet.repository.publish(fleet.sign(fleet.repository.unsigned()))
    assert fleet.repository.published() == [target]
    assert fleet.repository.drafted() == []
    assert fleet.repository.content(target) == b"one"


def test_signing_needs_no_repository_and_shows_what_it_vouches_for(
    fleet: Fleet, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fleet.repository.add("profiles/standin.toml", b"one")
    elsewhere = tmp_path_factory.mktemp("laptop") / "key.pem"
    elsewhere.write_bytes(fleet.key.read_bytes())
    fleet.key.unlink()
    raw = fleet.repository.unsigned()
    assert [(item.name, item.size) for item in describe(raw)] == [("profiles/standin.toml", 3)]
    fleet.repository.publish(sign(raw, elsewhere, PASSPHRASE))


def test_what_was_added_after_the_signature_stays_for_the_next(fleet: Fleet) -> None:
    fleet.repository.add("a", b"1")
    raw = fleet.repository.unsigned()
    late = fleet.repository.add("b", b"2")
    fleet.repository.publish(fleet.sign(raw))
    assert fleet.repository.drafted() == [late]


def refused(fleet: Fleet, signed: bytes, why: str) -> None:
    before = fleet.files()
    with pytest.raises(NotPublished, match=why):
        fleet.repository.publish(signed)
    assert fleet.files() == before


def test_a_list_signed_with_another_key_is_refused_and_nothing_changes(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.repository.add("a", b"1")
    make_signing_key(tmp_path / "thief", PASSPHRASE)
    signed = sign(fleet.repository.unsigned(), tmp_path / "thief" / SIGNING_KEY, PASSPHRASE)
    refused(fleet, signed, "not signed with the signing key of this fleet")


def test_an_unsigned_list_is_refused(fleet: Fleet) -> None:
    refused(fleet, fleet.repository.unsigned(), "not signed")


def test_a_list_changed_after_it_was_signed_is_refused(fleet: Fleet) -> None:
    fleet.repository.add("a", b"1")
    signed = json.loads(fleet.sign(fleet.repository.unsigned()))
    signed["signed"]["targets"]["a"]["length"] = 2
    refused(fleet, json.dumps(signed).encode(), "changed after it was signed")


@pytest.mark.parametrize("raw", [b"", b"{}", b"null", b"\xff"])
def test_what_is_no_list_is_refused(fleet: Fleet, raw: bytes) -> None:
    refused(fleet, raw, "no signed list")


def test_a_list_that_was_overtaken_is_refused(fleet: Fleet) -> None:
    fleet.repository.add("a", b"1")
    old = fleet.sign(fleet.repository.unsigned())
    fleet.repository.publish(fleet.sign(fleet.repository.unsigned()))
    refused(fleet, old, "another list was published")


def test_a_list_that_lay_too_long_is_refused(fleet: Fleet) -> None:
    signed = fleet.sign(fleet.repository.unsigned())
    fleet.clock.ahead = 91 * DAY
    refused(fleet, signed, "expired before it came")


def test_a_list_whose_contents_are_not_all_here_is_refused(fleet: Fleet) -> None:
    fleet.repository.add("dir/a", b"1")
    signed = fleet.sign(fleet.repository.unsigned())
    (held,) = (fleet.folder / "releases" / "targets" / "dir").iterdir()
    held.write_bytes(b"2")
    refused(fleet, signed, "the content of dir/a is not here, or damaged")


def test_the_root_metadata_cannot_be_signed_over(fleet: Fleet) -> None:
    raw = (fleet.folder / "releases" / "metadata" / "1.root.json").read_bytes()
    with pytest.raises(KeyProblem, match="not a list of targets"):
        fleet.sign(raw)


def test_a_wrong_passphrase_is_told_and_a_short_one_never_taken(
    fleet: Fleet, tmp_path: Path
) -> None:
    with pytest.raises(KeyProblem, match="passphrase is wrong"):
        sign(fleet.repository.unsigned(), fleet.key, "not this one at all")
    with pytest.raises(KeyProblem, match="at least 12 characters"):
        make_signing_key(tmp_path / "new", "short")
    assert not (tmp_path / "new").exists()


def test_an_absent_or_unencrypted_signing_key_is_told(fleet: Fleet, tmp_path: Path) -> None:
    with pytest.raises(KeyProblem, match="cannot read the signing key"):
        sign(fleet.repository.unsigned(), tmp_path / "none.pem", PASSPHRASE)
    online = fleet.folder / "releases" / "online-key.pem"
    with pytest.raises(KeyProblem, match="must be encrypted"):
        sign(fleet.repository.unsigned(), online, PASSPHRASE)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a b", "x" * 201])
def test_a_name_that_no_order_could_carry_is_not_added(fleet: Fleet, name: str) -> None:
    with pytest.raises(BadMessage):
        fleet.repository.add(name, b"1")


def test_the_daily_refresh_keeps_everything_short_lived_fresh(fleet: Fleet) -> None:
    for day in range(1, 30):
        fleet.clock.ahead = day * DAY
        fleet.repository.refresh()
        now = fleet.clock()
        left = {role: end.timestamp() - now for role, end in fleet.repository.expiries().items()}
        assert left["timestamp"] > DAY - 60
        assert left["snapshot"] > 2 * DAY


def test_nothing_but_the_signing_folder_holds_a_key_that_signs_releases(fleet: Fleet) -> None:
    root = (
        Metadata[Root]
        .from_bytes((fleet.folder / "releases" / "metadata" / "1.root.json").read_bytes())
        .signed
    )
    trusted = {*root.roles["root"].keyids, *root.roles["targets"].keyids}
    daily = {*root.roles["snapshot"].keyids, *root.roles["timestamp"].keyids}
    found = {}
    for path, raw in fleet.files().items():
        if b"PRIVATE KEY" in raw:
            key = load_pem_private_key(raw, None)
            found[path] = SSlibKey.from_crypto(key.public_key()).keyid
            assert Path(path).stat().st_mode & 0o777 == 0o600
    assert set(found.values()) == daily
    assert not trusted & daily
    assert b"ENCRYPTED PRIVATE KEY" in fleet.key.read_bytes()
    assert fleet.key.stat().st_mode & 0o777 == 0o600
