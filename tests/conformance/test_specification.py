"""Our client of signed metadata against the TUF specification, sections 5.3 to 5.7.

Each case is a refresh by a process of its own, over a real line, of a client that knew the first
version of everything. It says how the process ends, what it trusts afterwards, and what it asked.
The public suite says more (see tuf_client.py); these run wherever the tests run.
"""

import datetime as dt
import json
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, MetaFile, Snapshot, Targets, Timestamp

from tests.conformance import tuf_client
from tests.conformance.simulated import (
    FAR,
    NOW,
    ROLES,
    Signed,
    Simulated,
    new_keys,
    served,
    signed_by,
)

PROJECT = Path(__file__).parents[2]
PAST = NOW - dt.timedelta(days=1)


class Client:
    """The client under test: a folder that it keeps its metadata in, and one for targets."""

    def __init__(self, folder: Path, repository: Simulated, url: str) -> None:
        self.metadata, self.targets = folder / "metadata", folder / "targets"
        self.repository, self.url = repository, url
        self.said = ""
        for each in (self.metadata, self.targets):
            each.mkdir()
        root = folder / "pinned.json"
        root.write_bytes(repository.served["metadata/1.root.json"])
        tuf_client.init(self.metadata, root)

    def knows_the_first(self) -> None:
        """Refresh once, well."""
        given = Namespace(metadata_dir=self.metadata, metadata_url=f"{self.url}metadata/")
        tuf_client.trusted(given).refresh()
        self.repository.asked.clear()

    def run(self, word: str, *more: str, before: tuple[str, ...] = ()) -> int:
        """Return the exit code of one run of the client, a process of its own."""
        options = ["--metadata-dir", str(self.metadata), "--metadata-url", f"{self.url}metadata/"]
        words = [*before, sys.executable, "-m", tuf_client.__name__, *options, *more, word]
        ended = subprocess.run(
            words, cwd=PROJECT, timeout=60, check=False, capture_output=True, text=True
        )
        self.said = ended.stderr
        return ended.returncode

    def refresh(self, *before: str) -> int:
        return self.run("refresh", before=before)

    def download(self, *names: str) -> int:
        more = ["--target-dir", str(self.targets), "--target-base-url", f"{self.url}targets/"]
        for name in names:
            more += ["--target-name", name]
        return self.run("download", *more)

    def trusts(self) -> list[int]:
        """Return the versions that it trusts, in the order of `ROLES`; 0 = none."""
        found = []
        for role in ROLES:
            file = self.metadata / f"{role}.json"
            found.append(
                json.loads(file.read_bytes())["signed"]["version"] if file.exists() else 0
            )
        return found

    def has(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.targets.rglob("*")) if path.is_file()]


@pytest.fixture
def repository() -> Simulated:
    return Simulated()


@pytest.fixture
def client(tmp_path: Path, repository: Simulated) -> Iterator[Client]:
    with served(repository) as url:
        yield Client(tmp_path, repository, url)


@dataclass(frozen=True)
class End:
    """How a refresh must end."""

    code: int
    trusts: list[int]
    asked: list[str]


def ends_as(client: Client, end: End) -> None:
    code = client.refresh()
    assert End(code, client.trusts(), client.repository.asked) == end, client.said


# -- what comes in order --

ROOT2, ROOT3, STAMP = "2.root.json", "3.root.json", "timestamp.json"
SNAP2, LIST2 = "2.snapshot.json", "2.targets.json"

RIGHT: dict[str, tuple[tuple[str, ...], End]] = {
    "nothing new": ((), End(0, [1, 1, 1, 1], [ROOT2, STAMP])),
    "a timestamp": (("timestamp",), End(0, [1, 2, 1, 1], [ROOT2, STAMP])),
    "a snapshot": (("timestamp", "snapshot"), End(0, [1, 2, 2, 1], [ROOT2, STAMP, SNAP2])),
    "a root": (("root",), End(0, [2, 1, 1, 1], [ROOT2, ROOT3, STAMP])),
    "everything": (ROLES, End(0, [2, 2, 2, 2], [ROOT2, ROOT3, STAMP, SNAP2, LIST2])),
}


def test_a_new_client_asks_for_each_role_once_and_in_order(client: Client) -> None:
    first = [ROOT2, STAMP, "1.snapshot.json", "1.targets.json"]
    ends_as(client, End(0, [1, 1, 1, 1], first))


@pytest.mark.parametrize("new", list(RIGHT))
def test_what_is_new_and_nothing_else_is_asked_for_and_trusted(client: Client, new: str) -> None:
    roles, end = RIGHT[new]
    client.knows_the_first()
    client.repository.publish(*roles)
    ends_as(client, end)


def test_without_consistent_snapshots_names_bear_no_version(client: Client) -> None:
    client.repository.root.consistent_snapshot = False
    client.repository.publish(*ROLES)
    ends_as(client, End(0, [2, 2, 2, 2], [ROOT2, ROOT3, STAMP, "snapshot.json", "targets.json"]))


# -- each role, harmed --

OTHER: dict[str, type[Targets | Snapshot | Timestamp]] = {
    "root": Targets,
    "timestamp": Snapshot,
    "snapshot": Timestamp,
    "targets": Snapshot,
}


def _signed_anew(repository: Simulated, role: str, signed: Signed) -> None:
    repository.put(role, signed_by(signed, repository.keys[role]))


def unsigned(repository: Simulated, role: str) -> None:
    repository.put(role, signed_by(repository.signed(role), []))


def signed_with_another_key(repository: Simulated, role: str) -> None:
    repository.put(role, signed_by(repository.signed(role), new_keys()))


def signed_by_the_role_below(repository: Simulated, role: str) -> None:
    other = ROLES[(ROLES.index(role) + 1) % len(ROLES)]
    repository.put(role, signed_by(repository.signed(role), repository.keys[other]))


def changed_after_it_was_signed(repository: Simulated, role: str) -> None:
    raw = json.loads(signed_by(repository.signed(role), repository.keys[role]))
    raw["signed"]["expires"] = "2999-01-01T00:00:00Z"
    repository.put(role, json.dumps(raw).encode())


def of_another_type(repository: Simulated, role: str) -> None:
    _signed_anew(repository, role, OTHER[role](version=2, expires=FAR))


def of_another_version_than_its_name(repository: Simulated, role: str) -> None:
    signed = repository.signed(role)
    signed.version += 1
    raw = signed_by(signed, repository.keys[role])
    signed.version -= 1
    repository.put(role, raw)


def signed_twice_by_one_key(repository: Simulated, role: str) -> None:
    raw = json.loads(signed_by(repository.signed(role), repository.keys[role]))
    raw["signatures"] *= 2
    repository.put(role, json.dumps(raw).encode())


def no_json(repository: Simulated, role: str) -> None:
    repository.put(role, b"<html>Please log in</html>")


def endless(repository: Simulated, role: str) -> None:
    repository.put(role, b" " * 6_000_000)


HARMS = {
    harm.__name__: harm
    for harm in (
        unsigned,
        signed_with_another_key,
        signed_by_the_role_below,
        changed_after_it_was_signed,
        of_another_type,
        of_another_version_than_its_name,
        signed_twice_by_one_key,
        no_json,
        endless,
    )
}
STOPS = {  # a role that is harmed is not trusted, and nothing below it is asked for
    "root": End(1, [1, 1, 1, 1], [ROOT2]),
    "timestamp": End(1, [1, 1, 1, 1], [ROOT2, STAMP]),
    "snapshot": End(1, [1, 2, 1, 1], [ROOT2, STAMP, SNAP2]),
    "targets": End(1, [1, 2, 2, 1], [ROOT2, STAMP, SNAP2, LIST2]),
}
_HARMED = [(harm, role) for harm in HARMS for role in ROLES]
_HARMED.remove(("of_another_version_than_its_name", "timestamp"))  # it has none in its name


@pytest.mark.parametrize(("harm", "role"), _HARMED)
def test_a_role_that_is_harmed_is_refused_and_ends_the_refresh(
    client: Client, harm: str, role: str
) -> None:
    client.knows_the_first()
    below = ROLES[1:]
    repository = client.repository
    repository.publish(*(ROLES if role == "root" else below))
    HARMS[harm](repository, role)
    if role in below:
        repository.write(*below[: below.index(role)])  # those above name what lies there
    ends_as(client, STOPS[role])


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_role_that_is_named_and_not_there_ends_the_refresh(client: Client, role: str) -> None:
    client.knows_the_first()
    client.repository.publish(*ROLES[1:])
    del client.repository.served[f"metadata/{client.repository.file(role)}"]
    ends_as(client, STOPS[role])


# -- dates --

EXPIRED = {**STOPS, "root": End(1, [2, 1, 1, 1], [ROOT2, ROOT3, STAMP])}  # 5.3.10: it is kept


@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_comes_expired_is_refused(client: Client, role: str) -> None:
    client.knows_the_first()
    client.repository.signed(role).expires = PAST
    client.repository.publish(*(ROLES if role == "root" else ROLES[1:]))
    ends_as(client, EXPIRED[role])


@pytest.mark.skipif(not shutil.which("faketime"), reason="faketime is not installed")
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("days", "code"), [(6, 0), (8, 1)])
def test_a_repository_that_is_frozen_is_refused_once_a_role_has_expired(
    client: Client, role: str, days: int, code: int
) -> None:
    client.repository.signed(role).expires = NOW + dt.timedelta(days=7)
    client.repository.publish(*ROLES)
    client.knows_the_first()
    assert client.refresh("faketime", f"{NOW + dt.timedelta(days=days)}") == code, client.said
    assert client.trusts() == [2, 2, 2, 2]


# -- signatures --


@pytest.mark.parametrize(("by", "code"), [(1, 1), (2, 0), (3, 0)])
@pytest.mark.parametrize("role", ROLES)
def test_two_of_three_must_have_signed(client: Client, role: str, by: int, code: int) -> None:
    repository = client.repository
    keys = new_keys(3)
    before = repository.keys["root"] if role == "root" else []
    repository.trust(role, keys, threshold=2)
    repository.keys[role] = [*keys[:by], *before]
    repository.publish(*ROLES)
    assert client.refresh() == code, client.said
    assert (client.trusts()[ROLES.index(role)] == 2) == (code == 0)


def _chain(repository: Simulated, count: int) -> None:
    """Change the key of the root so many times, each new one signed by the one before too."""
    for _ in range(count):
        before, after = repository.keys["root"], new_keys()
        repository.trust("root", after)
        repository.keys["root"] = [*before, *after]
        repository.publish("root")
        repository.keys["root"] = after


def _roots(last: int) -> list[str]:
    return [f"{version}.root.json" for version in range(2, last + 1)]


def test_a_client_that_was_away_for_ten_keys_follows_one_after_the_other(client: Client) -> None:
    client.knows_the_first()
    _chain(client.repository, 10)
    ends_as(client, End(0, [11, 1, 1, 1], [*_roots(12), STAMP]))


def test_a_chain_of_keys_is_followed_as_far_as_it_holds(client: Client) -> None:
    client.knows_the_first()
    _chain(client.repository, 4)
    client.repository.trust("root", new_keys())  # and the one before has not signed
    client.repository.publish("root")
    ends_as(client, End(1, [5, 1, 1, 1], _roots(6)))


def test_a_key_that_was_replaced_signs_no_role_any_more(client: Client) -> None:
    client.knows_the_first()
    repository, before = client.repository, client.repository.keys["targets"]
    repository.trust("targets", new_keys())
    repository.publish("root")
    repository.keys["targets"] = before
    repository.publish(*ROLES[1:])
    ends_as(client, End(1, [2, 2, 2, 1], [ROOT2, ROOT3, STAMP, SNAP2, LIST2]))


# -- back, ahead, and of different days --


def older_timestamp(repository: Simulated) -> None:
    repository.timestamp.version = 1
    repository.write("timestamp")


def older_snapshot(repository: Simulated) -> None:
    repository.snapshot.version = 1
    repository.write("snapshot")
    repository.publish("timestamp")


def older_targets(repository: Simulated) -> None:
    repository.targets.version = 1
    repository.write("targets")
    repository.publish("snapshot", "timestamp")


def no_targets(repository: Simulated) -> None:
    del repository.snapshot.meta["targets.json"]
    repository.publish("snapshot", "timestamp")


BACK: dict[str, tuple[Callable[[Simulated], None], End]] = {
    "the timestamp": (older_timestamp, End(1, [1, 2, 2, 2], [ROOT2, STAMP])),
    "the snapshot": (older_snapshot, End(1, [1, 2, 2, 2], [ROOT2, STAMP])),
    "the targets": (older_targets, End(1, [1, 3, 2, 2], [ROOT2, STAMP, "3.snapshot.json"])),
    "targets not named": (no_targets, End(1, [1, 3, 2, 2], [ROOT2, STAMP, "3.snapshot.json"])),
}


@pytest.mark.parametrize("what", list(BACK))
def test_what_was_trusted_is_not_rolled_back(client: Client, what: str) -> None:
    roll_back, end = BACK[what]
    client.repository.publish(*ROLES[1:])
    client.knows_the_first()
    roll_back(client.repository)
    ends_as(client, end)


@pytest.mark.parametrize(
    ("role", "rotated"),
    [
        ("timestamp", ("timestamp",)),
        ("snapshot", ("snapshot", "timestamp")),
        ("targets", ("snapshot",)),
    ],
)
def test_versions_that_a_thief_drove_up_are_left_by_a_change_of_keys(
    client: Client, role: str, rotated: tuple[str, ...]
) -> None:
    repository = client.repository
    repository.signed(role).version = 1_000
    repository.publish(*ROLES[1:])
    client.knows_the_first()
    for each in rotated:
        repository.trust(each, new_keys())
    repository.signed(role).version = 0
    repository.publish(*ROLES)
    assert client.refresh() == 0, client.said
    assert client.trusts() == [repository.signed(each).version for each in ROLES]


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_signed_metadata_of_another_day_does_not_match_what_is_said_of_it(
    client: Client, role: str
) -> None:
    repository = client.repository
    client.knows_the_first()
    repository.is_pinned = True
    repository.publish(*ROLES[1:])
    repository.signed(role).expires = FAR + dt.timedelta(days=1)
    other = signed_by(repository.signed(role), repository.keys[role])
    repository.served[f"metadata/{repository.file(role)}"] = other
    ends_as(client, STOPS[role])


# -- targets --


def _held(client: Client, content: bytes) -> None:
    (path,) = (path for path in client.repository.served if path.startswith("targets/"))
    client.repository.served[path] = content


@pytest.mark.parametrize("held", [b"another", b"conten", b"contents", b"", b" " * 1_000_000])
def test_another_content_than_was_signed_is_not_kept(client: Client, held: bytes) -> None:
    client.repository.add_target("dir/app", b"content")
    client.repository.publish(*ROLES[1:])
    _held(client, held)
    assert client.download("dir/app") == 1
    assert client.has() == []
    assert client.trusts() == [1, 2, 2, 2]


def test_a_target_is_fetched_once_by_its_hash(client: Client) -> None:
    client.repository.add_target("dir/app", b"content")
    client.repository.publish(*ROLES[1:])
    assert client.download("dir/app") == 0
    assert client.has() == [b"content"]
    (path,) = (path for path in client.repository.served if path.startswith("targets/"))
    assert client.repository.asked == [ROOT2, STAMP, SNAP2, LIST2, path]
    client.repository.asked.clear()
    assert client.download("dir/app") == 0
    assert client.repository.asked == [ROOT2, STAMP]


def test_a_target_that_is_not_listed_is_refused_after_a_refresh(client: Client) -> None:
    assert client.download("none") == 1
    assert client.has() == []
    assert client.repository.asked == [ROOT2, STAMP, "1.snapshot.json", "1.targets.json"]


@pytest.mark.parametrize("name", ["../up", "/etc/app", "a b", "é", "..", "a/../../b"])
def test_a_name_that_is_no_plain_path_writes_nothing_elsewhere(
    client: Client, tmp_path: Path, name: str
) -> None:
    client.repository.add_target(name, b"content")
    client.repository.publish(*ROLES[1:])
    client.download(name)
    assert "Traceback" not in client.said
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".json"]
    assert {path.parent for path in written} <= {client.metadata, client.targets}


# -- roles below the targets (which our coordinator never makes) --


def _delegate(above: Targets, name: str, path: str) -> CryptoSigner:
    """Let a role of this name list what matches the path; returns the key it is to sign with."""
    (key,) = new_keys()
    if above.delegations is None:
        above.delegations = Delegations({}, {})
    assert above.delegations.roles is not None
    above.delegations.roles[name] = DelegatedRole(name, [], 1, False, [path])
    above.add_key(key.public_key, name)
    return key


def _serve(repository: Simulated, name: str, signed: Targets, key: CryptoSigner) -> None:
    repository.served[f"metadata/1.{name}.json"] = signed_by(signed, [key])
    repository.snapshot.meta[f"{name}.json"] = MetaFile(1)


@pytest.mark.parametrize("name", ["?", "#", "/role", "../role", "%2e%2e/role"])
def test_a_role_of_an_odd_name_is_quoted_in_the_request_and_on_the_disk(
    client: Client, tmp_path: Path, name: str
) -> None:
    key = _delegate(client.repository.targets, name, "*")
    _serve(client.repository, name, Targets(expires=FAR), key)
    client.repository.publish(*ROLES[1:])
    before = {path for path in tmp_path.rglob("*") if client.metadata not in path.parents}
    assert client.download("none") == 1
    after = {path for path in tmp_path.rglob("*") if client.metadata not in path.parents}
    assert after == before
    assert client.repository.asked[:4] == [ROOT2, STAMP, SNAP2, LIST2]
    for asked in client.repository.asked[4:]:
        assert not {"?", "#"} & set(asked)
        assert asked.count("/") == 0


def test_a_role_is_verified_by_whoever_hands_on_to_it_each_time(client: Client) -> None:
    repository, a, b = client.repository, Targets(expires=FAR), Targets(expires=FAR)
    for name in ("a/x", "b/y"):
        repository.add_target(name, name.encode())
    shared = Targets(expires=FAR, targets=dict(repository.targets.targets))
    repository.targets.targets.clear()
    of_a = _delegate(a, "shared", "*/*")
    _delegate(b, "shared", "*/*")  # with another key, which has not signed
    _serve(repository, "shared", shared, of_a)
    for name, signed in (("a", a), ("b", b)):
        _serve(repository, name, signed, _delegate(repository.targets, name, f"{name}/*"))
    repository.publish(*ROLES[1:])
    assert client.download("a/x", "b/y") == 1
    assert client.has() == [b"a/x"], client.said
