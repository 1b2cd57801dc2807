"""Keys change, and agents follow: over real HTTPS, with the agent's own client."""

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import Metadata, Root, Targets, Timestamp

from agent.enrol import enrol
from agent.packages import SignedPackages
from agent.steps.table import Refused
from coordinator.releases.ceremony import named_key, online_replacement, renewal, replacement
from coordinator.releases.changes import Change
from coordinator.releases.keys import KeyProblem, sign_with
from coordinator.releases.metadata import Holders
from coordinator.releases.repository import Repository
from coordinator.releases.roots import as_bytes, check_chain, next_root
from coordinator.releases.shelf import Shelf
from coordinator.releases.signatures import NotPublished
from tests.trust.keyring import PROFILE, Agent, Keyring
from tests.trust.office import Office, never

DAY = 86400
THREE = ("ann", "ben", "cleo")


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Keyring]:
    with Office(tmp_path / "office").open() as office:
        yield Keyring(office)


@pytest.fixture
def agent(ring: Keyring) -> Iterator[Agent]:
    agent = Agent(ring.office)
    with agent.https:
        yield agent


def metadata(ring: Keyring) -> Path:
    return ring.office.repository.folder / "metadata"


def refused(ring: Keyring, change: Change, why: str, *names: str) -> None:
    before = {p.name: p.read_bytes() for p in metadata(ring).iterdir()}
    with pytest.raises(NotPublished, match=why):
        ring.propose(change, *names)
    assert {p.name: p.read_bytes() for p in metadata(ring).iterdir()} == before


def test_after_a_ceremony_two_of_three_sign_and_the_agent_follows(
    ring: Keyring, agent: Agent
) -> None:
    old, _ = ring.publish(PROFILE, "init")
    assert agent.accepts(old)
    assert ring.ceremony(THREE, 2).published
    assert agent.accepts(old)
    new, reached = ring.publish(PROFILE + b"\n", "ben", "cleo")
    assert (reached.published, reached.done, reached.threshold) == (True, 2, 2)
    assert agent.accepts(new)


def test_one_signature_of_two_is_kept_and_publishes_nothing(ring: Keyring, agent: Agent) -> None:
    ring.ceremony(THREE, 2)
    target, reached = ring.publish(PROFILE, "ann")
    assert (reached.published, reached.done, reached.missing) == (False, 1, 1)
    assert reached.signed == (ring.fingerprint("ann"),)
    assert set(reached.may_sign) == {ring.fingerprint("ben"), ring.fingerprint("cleo")}
    with pytest.raises(Refused, match="does not name it"):
        agent.accepts(target)
    assert ring.publish(PROFILE, "ben")[1].published
    assert agent.accepts(target)


def test_the_same_key_twice_counts_once(ring: Keyring) -> None:
    ring.ceremony(THREE, 2)
    _, reached = ring.publish(PROFILE, "ann", "ann", "ann")
    assert (reached.published, reached.done) == (False, 1)


def test_a_list_with_one_signature_of_two_is_refused_by_the_agent_too(
    ring: Keyring, agent: Agent
) -> None:
    ring.ceremony(THREE, 2)
    target, _ = ring.publish(PROFILE, "ann")
    forced(ring, ring.office.repository.unsigned())
    with pytest.raises(Refused, match="signed by 1/2"):
        agent.accepts(target)


def test_a_list_signed_with_the_online_key_is_refused_on_both_sides(
    ring: Keyring, agent: Agent
) -> None:
    target = ring.office.repository.add("profiles/starface.toml", PROFILE)
    online = shelf_of(ring).online()
    signed = sign_with(ring.office.repository.unsigned(), online)
    with pytest.raises(NotPublished, match="not signed with the signing key"):
        ring.office.repository.publish(signed)
    forced(ring, signed)
    with pytest.raises(Refused, match="signed by 0/1"):
        agent.accepts(target)


def shelf_of(ring: Keyring) -> Shelf:
    return Shelf(ring.office.repository.folder, ring.office.clock)


def forced(ring: Keyring, listed: bytes) -> None:
    """Publish a list as a thief does who has the coordinator, and asks nobody."""
    version = Metadata[Targets].from_bytes(listed).signed.version
    shelf_of(ring).put_targets(version, listed)


def test_a_draft_that_changes_drops_its_signatures_and_says_how_many(ring: Keyring) -> None:
    ring.ceremony(THREE, 2)
    ring.publish(PROFILE, "ann")
    half_signed = ring.office.repository.unsigned()
    ring.office.repository.add("profiles/other.toml", b"1")
    waits = ring.office.repository.waiting()
    assert (waits.dropped, ring.office.repository.progress().done) == (1, 0)
    with pytest.raises(NotPublished, match="has changed since"):
        ring.office.repository.publish(half_signed)
    raw = ring.office.repository.unsigned()
    ring.office.repository.publish(sign_with(raw, ring.key("ann")))
    assert ring.office.repository.waiting().dropped == 0


def test_two_who_took_the_list_at_the_same_time_sign_the_same_bytes(ring: Keyring) -> None:
    ring.ceremony(THREE, 2)
    ring.office.repository.add("profiles/starface.toml", PROFILE)
    first, second = ring.office.repository.unsigned(), ring.office.repository.unsigned()
    ring.office.repository.publish(sign_with(first, ring.key("cleo")))
    assert ring.office.repository.publish(sign_with(second, ring.key("ann"))).published


def test_a_list_half_signed_outlives_a_restart(ring: Keyring) -> None:
    ring.ceremony(THREE, 2)
    ring.publish(PROFILE, "ann")
    again = Repository(ring.office.repository.folder, ring.office.clock)
    assert again.publish(sign_with(again.unsigned(), ring.key("ben"))).published


def test_a_list_that_nobody_signed_in_time_is_dated_anew(ring: Keyring) -> None:
    first = ring.office.repository.unsigned()
    ring.office.clock.ahead = 2 * DAY
    assert ring.office.repository.unsigned() != first


def test_an_agent_that_was_off_for_ten_root_versions_follows(ring: Keyring, agent: Agent) -> None:
    old, _ = ring.publish(PROFILE, "init")
    assert agent.accepts(old)
    ring.ceremony(THREE, 2)
    people = list(THREE)
    for number in range(9):
        new = f"new-{number}"
        change = ring.replaced(people[0], new)
        assert ring.propose(change, people[1], people[2], new).published
        people = [*people[1:], new]
    assert shelf_of(ring).root_version() == 11
    target, reached = ring.publish(PROFILE + b"\n", *people[:2])
    assert reached.published
    assert agent.accepts(target)
    assert (agent.state / "tuf" / "root_history" / "11.root.json").exists()


def test_a_host_enrolled_after_a_change_trusts_the_present_root(ring: Keyring) -> None:
    ring.ceremony(THREE, 2)
    target, _ = ring.publish(PROFILE, "ann", "ben")
    late = Agent(ring.office, "PC-02")
    with late.https:
        assert late.accepts(target)
        assert b'"version":2' in (late.state / "tuf" / "pinned-root.json").read_bytes()


def test_a_token_made_before_a_change_still_enrols(ring: Keyring) -> None:
    token = ring.office.token()
    ring.ceremony(THREE, 2)
    target, _ = ring.publish(PROFILE, "ann", "ben")
    state = ring.office.folder / "PC-03"
    host = enrol(token, "PC-03", state, never).host_id
    with ring.office.https(state) as https:
        assert SignedPackages(state, host, https).profile(target).name == "starface"


def test_a_lost_key_is_replaced_by_the_two_others_and_signs_nothing_any_more(
    ring: Keyring, agent: Agent
) -> None:
    ring.ceremony(THREE, 2)
    ring.publish(PROFILE, "ann", "cleo")
    reached = ring.propose(ring.replaced("cleo", "dora"), "ann", "dora")
    assert (reached.published, reached.done, reached.threshold) == (False, 1, 2)
    waits = ring.office.repository.changes.waiting()
    assert waits is not None
    assert ring.office.repository.changes.sign(ring.signed(waits, "ben")).published
    target, reached = ring.publish(PROFILE + b"\n", "ann")
    assert (reached.done, reached.signed) == (1, (ring.fingerprint("ann"),))
    with pytest.raises(NotPublished, match="not signed with the signing key"):
        ring.publish(PROFILE + b"\n", "cleo")
    forced(ring, ring.signed(Change((), ring.office.repository.unsigned()), "cleo").targets)
    with pytest.raises(Refused, match="signed by 1/2"):
        agent.accepts(target)


def test_a_replaced_key_cannot_bring_itself_back(ring: Keyring) -> None:
    ring.ceremony(THREE, 2)
    keys = tuple(ring.key(name).public_key for name in ("init", "ann", "ben"))
    back = replacement(*ring.present, Holders(keys, 1), ring.now)
    assert not ring.propose(back, "init", "ann").published
    assert not ring.propose(back, "init").published


def test_one_of_two_signatures_changes_no_key(ring: Keyring, agent: Agent) -> None:
    ring.ceremony(THREE, 2)
    target, _ = ring.publish(PROFILE, "ann", "ben")
    change = ring.signed(ring.replaced("ben", "thief"), "ann", "thief", "ann")
    assert not ring.office.repository.changes.propose(change).published
    (metadata(ring) / "3.root.json").write_bytes(change.roots[0])
    with pytest.raises(Refused, match="signed by 1/2"):
        agent.accepts(target)


def test_a_change_signed_by_nobody_who_may_is_kept_unsigned_only(ring: Keyring) -> None:
    reached = ring.propose(renewal(*ring.present, ring.now), "thief")
    assert (reached.done, reached.signed) == (0, ())
    waits = ring.office.repository.changes.waiting()
    assert waits is not None
    with pytest.raises(NotPublished, match="this key may not sign"):
        ring.office.repository.changes.sign(ring.signed(waits, "thief"))


def test_a_root_rolled_back_is_refused(ring: Keyring, agent: Agent, tmp_path: Path) -> None:
    old, _ = ring.publish(PROFILE, "init")
    shutil.copytree(metadata(ring), tmp_path / "before")
    first_root = Change((ring.present[0],), b"")
    ring.ceremony(THREE, 2)
    ring.renew("ann", "ben")
    assert agent.accepts(old)
    refused(ring, first_root, "does not follow the present one")
    shutil.rmtree(metadata(ring))
    shutil.copytree(tmp_path / "before", metadata(ring))
    with pytest.raises(Refused, match="version 2 must be >= 4"):
        agent.accepts(old)


def test_renewal_gives_root_and_targets_their_whole_life_again(ring: Keyring) -> None:
    ring.office.clock.ahead = -80 * DAY
    ring.renew("init")
    before = ring.office.repository.expiries()
    ring.office.clock.ahead = 0
    assert ring.renew("init").published
    after = ring.office.repository.expiries()
    assert (after["root"] - before["root"]).days == 80
    assert (after["targets"] - before["targets"]).days == 80


def test_another_online_key_is_taken_and_the_old_one_signs_nothing(
    ring: Keyring, agent: Agent
) -> None:
    target, _ = ring.publish(PROFILE, "init")
    assert agent.accepts(target)
    old = shelf_of(ring).online()
    assert ring.propose(ring.online_replaced(), "init").published
    assert shelf_of(ring).root_version() == 3
    assert shelf_of(ring).online().public_key.keyid != old.public_key.keyid
    assert agent.accepts(target)
    timestamp = sign_only(old, (metadata(ring) / "timestamp.json").read_bytes())
    (metadata(ring) / "timestamp.json").write_bytes(timestamp)
    with pytest.raises(Refused, match="signed by 0/1"):
        agent.accepts(target)


def sign_only(signer: CryptoSigner, raw: bytes) -> bytes:
    stamped = Metadata[Timestamp].from_bytes(raw)
    stamped.signed.version += 1
    stamped.sign(signer)
    return stamped.to_bytes()


def test_a_list_published_meanwhile_overtakes_a_change(ring: Keyring) -> None:
    ring.ceremony(THREE, 2)
    half = ring.signed(ring.replaced("cleo", "dora"), "ann", "dora")
    ring.office.repository.changes.propose(half)
    ring.publish(PROFILE, "ann", "ben")
    assert ring.office.repository.changes.waiting() is None
    with pytest.raises(NotPublished, match="no change of keys waits"):
        ring.office.repository.changes.sign(half)


def test_a_change_can_be_dropped(ring: Keyring) -> None:
    assert not ring.office.repository.changes.drop()
    ring.propose(renewal(*ring.present, ring.now))
    assert ring.office.repository.changes.drop()
    assert ring.office.repository.changes.waiting() is None


def test_another_change_than_the_one_that_waits_is_not_signed(ring: Keyring) -> None:
    ring.propose(renewal(*ring.present, ring.now))
    other = ring.signed(ring.replaced("init", "dora"), "init")
    with pytest.raises(NotPublished, match="another change of keys waits"):
        ring.office.repository.changes.sign(other)
    with pytest.raises(NotPublished, match="another change of keys waits"):
        ring.office.repository.changes.sign(ring.online_replaced())


# -- what a change may not say ------------------------------------------------------------


def root_with(ring: Keyring, **changed: object) -> Change:
    """Return a renewal whose root says something else, signed rightly."""
    change = renewal(*ring.present, ring.now)
    root = Metadata[Root].from_bytes(change.roots[0])
    for name, value in changed.items():
        setattr(root.signed, name, value)
    return Change((root.to_bytes(),), change.targets)


@pytest.mark.parametrize(
    ("days", "why"), [(-1, "not within the year"), (400, "not within the year")]
)
def test_a_root_that_lives_too_long_or_not_at_all_is_refused(
    ring: Keyring, days: int, why: str
) -> None:
    refused(ring, root_with(ring, expires=ring.now + dt.timedelta(days=days)), why, "init")


@pytest.mark.parametrize("version", [1, 3, 2**40])
def test_a_root_that_skips_a_version_is_refused(ring: Keyring, version: int) -> None:
    refused(ring, root_with(ring, version=version), "does not follow", "init")


def test_files_must_be_named_by_version(ring: Keyring) -> None:
    refused(ring, root_with(ring, consistent_snapshot=False), "named by their versions", "init")


def test_an_online_key_may_not_sign_by_hand(ring: Keyring) -> None:
    online = shelf_of(ring).online().public_key
    holders = Holders((ring.key("init").public_key, online))
    change = replacement(*ring.present, holders, ring.now)
    refused(ring, change, "named twice", "init")


def test_an_online_key_that_the_coordinator_does_not_have_is_refused(ring: Keyring) -> None:
    change = online_replacement(ring.present[0], ring.key("thief").public_key, ring.now)
    refused(ring, change, "does not have", "init")


def test_the_online_key_may_not_change_at_one_blow(ring: Keyring) -> None:
    following = ring.office.repository.changes.next_online_key()
    root = Metadata[Root].from_bytes(ring.present[0]).signed
    change = Change((as_bytes(next_root(root, ring.now, online=[following])),))
    refused(ring, change, "no moment", "init")


def test_one_key_under_two_names_is_refused(ring: Keyring) -> None:
    ann = ring.key("ann").public_key
    twin = SSlibKey("0" * 64, ann.keytype, ann.scheme, dict(ann.keyval))
    change = replacement(*ring.present, Holders((ann, twin), 2), ring.now)
    refused(ring, change, "named twice", "init", "ann")


def test_more_signatures_than_keys_are_refused(ring: Keyring) -> None:
    holders = Holders((ring.key("ann").public_key,), 2)
    refused(ring, replacement(*ring.present, holders, ring.now), "no more signatures", "init")


def test_ten_keys_are_too_many(ring: Keyring) -> None:
    keys = tuple(ring.key(f"p{number}").public_key for number in range(10))
    change = replacement(*ring.present, Holders(keys, 2), ring.now)
    refused(ring, change, "1 to 9 keys", "init")


def test_a_change_of_keys_publishes_no_other_target(ring: Keyring) -> None:
    ring.office.repository.add("profiles/starface.toml", PROFILE)
    change = renewal(*ring.present, ring.now)
    smuggled = Change(change.roots, ring.office.repository.unsigned())
    refused(ring, smuggled, "is not the published one", "init")


def test_keys_that_did_not_sign_the_present_list_need_it_signed_anew(ring: Keyring) -> None:
    change = replacement(*ring.present, Holders((ring.key("ann").public_key,)), ring.now)
    refused(ring, Change(change.roots), "has to be signed anew", "init", "ann")


@pytest.mark.parametrize("raw", [b"", b"{}", b"null", b"\xff"])
def test_what_is_no_root_is_refused(ring: Keyring, raw: bytes) -> None:
    with pytest.raises(NotPublished, match="no signed root"):
        ring.office.repository.changes.propose(Change((raw,)))


@pytest.mark.parametrize("count", [0, 3])
def test_a_change_is_one_root_or_two(ring: Keyring, count: int) -> None:
    refused(ring, Change((ring.present[0],) * count), "one new root, or two")


def test_a_key_is_named_by_the_beginning_of_its_fingerprint(ring: Keyring) -> None:
    whole = ring.fingerprint("init")
    assert named_key(ring.present[0], f"{whole[:4]} {whole[4:8].upper()}") == whole
    for typed in ("", whole[:7], "0" * 64, "zz"):
        with pytest.raises(KeyProblem, match="cannot find the key"):
            named_key(ring.present[0], typed)


def test_a_present_root_that_its_own_keys_did_not_sign_is_not_built_upon(ring: Keyring) -> None:
    root = Metadata[Root].from_bytes(ring.present[0])
    root.signed.version += 1
    with pytest.raises(KeyProblem, match="not signed by its own keys"):
        renewal(root.to_bytes(), ring.present[1], ring.now)


def test_a_list_that_the_present_keys_did_not_sign_is_not_signed_anew(ring: Keyring) -> None:
    ring.office.repository.add("profiles/starface.toml", PROFILE)
    with pytest.raises(KeyProblem, match="it is not signed rightly"):
        renewal(ring.present[0], ring.office.repository.unsigned(), ring.now)


def test_roots_are_believed_once_and_followed_from_then_on(ring: Keyring) -> None:
    first = ring.present[0]
    check_chain(None, [first])
    ring.ceremony(THREE, 2)
    ring.renew("ann", "ben")
    roots = ring.office.repository.changes.roots()
    check_chain(first, roots)
    check_chain(roots[1], roots)
    for known, given in ((roots[2], roots[:2]), (first, roots[1:]), (None, [roots[0], roots[2]])):
        with pytest.raises(NotPublished, match="do not follow from those"):
            check_chain(known, given)
