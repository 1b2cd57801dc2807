"""What a stolen coordinator can have an agent do, and what it cannot.

It has the CA, the online key, the key of the tickets and every package. It can be believed to be
the coordinator, keep fresh what was signed until that expires, and repeat it. It cannot have a
list, a profile, a manifest or a package accepted that the signing keys did not sign.
"""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.steps.table import Refused
from agent.wire.contract import Refusal, Target
from agent.wire.manifest import write_manifest
from agent.wire.places import METADATA
from coordinator.fleet.ca import Authority
from coordinator.fleet.door import server_context
from coordinator.releases.keys import SIGNING_KEY, sign
from coordinator.releases.packages import Label, manifest_name
from tests.trust.keyring import NAME, PROFILE, Agent, publish
from tests.trust.office import PASSPHRASE, Office, make_zip, serving
from tests.trust.thief import Thief
from tests.trust.workstation import Workstation, noise

DAY = 86400
EVIL = PROFILE.replace(b'title = "', b'title = "Not ')


@pytest.fixture
def good(office: Office, agent: Agent) -> Target:
    """A profile that was signed before the coordinator was stolen, and that the agent knows."""
    target = publish(office, PROFILE)
    assert agent.accepts(target)
    return target


@pytest.fixture
def thief(office: Office, good: Target) -> Thief:
    return Thief(office)


def is_refused(agent: Agent, content: bytes, name: str = NAME) -> None:
    with pytest.raises(Refused, match="was signed by 0/1") as refused:
        agent.accepts(_target(name, content))
    assert refused.value.refusal is Refusal.NOT_SIGNED


def _target(name: str, content: bytes) -> Target:
    return Target(name, hashlib.sha256(content).hexdigest())


def test_no_key_in_the_home_is_one_that_signs_releases(office: Office, thief: Thief) -> None:
    root = office.repository.roles()
    trusted = {each for role in ("root", "targets") for each in root[role].fingerprints}
    found = thief.keys()
    assert len(found) >= 3
    assert not trusted & {key.public_key.keyid for key in found}


Forged = Callable[[Thief, bytes], bytes]
FORGED: dict[str, Forged] = {
    "nobody": lambda _thief, raw: raw,
    "the thief": lambda thief, raw: thief.signed(raw, [thief.own]),
    "the online key": lambda thief, raw: thief.signed(raw, [thief.online]),
    "every key of the home": lambda thief, raw: thief.signed(raw, [thief.own, *thief.keys()]),
    "the signatures of another list": lambda thief, raw: thief.with_the_old_signatures(raw),
}


@pytest.mark.parametrize("by", list(FORGED))
@pytest.mark.parametrize("name", [NAME, "profiles/other.toml"])
def test_a_list_that_is_signed_by_others_is_refused(
    agent: Agent, thief: Thief, good: Target, by: str, name: str
) -> None:
    forged = FORGED[by](thief, thief.listed(name, EVIL))
    thief.serve(forged, thief.version("targets") + 1)
    is_refused(agent, EVIL, name)
    with pytest.raises(Refused):
        agent.accepts(good)  # nothing is read from a list that is not rightly signed


def test_the_same_list_is_accepted_once_the_signing_key_has_signed_it(
    office: Office, agent: Agent, thief: Thief
) -> None:
    signed = sign(thief.listed(NAME, EVIL), office.signing / SIGNING_KEY, PASSPHRASE)
    thief.serve(signed, thief.version("targets") + 1)
    assert agent.accepts(_target(NAME, EVIL))


@pytest.mark.parametrize("helped", [False, True], ids=["own key", "own key and the home's"])
def test_a_root_that_names_the_thief_is_refused(agent: Agent, thief: Thief, helped: bool) -> None:
    thief.take_over(thief.keys() if helped else [])
    forged = thief.signed(thief.listed(NAME, EVIL), [thief.own])
    thief.serve(forged, thief.version("targets") + 1)
    is_refused(agent, EVIL)


def test_another_content_under_a_signed_name_is_refused(
    tmp_path: Path, office: Office, agent: Agent, thief: Thief
) -> None:
    label = Label("standin", "1.1", "workstation", "linux")
    manifest, target = office.add_package(make_zip(tmp_path / "a.zip", {"app": b"1.1"}))
    office.publish()
    assert target.name == manifest_name(label)
    for held in (thief.repository / "targets" / target.name).parent.iterdir():
        held.write_bytes(write_manifest(manifest).replace(b'"app"', b'"evi"'))
    with pytest.raises(Refused) as refused:
        agent.accepts(target)
    assert refused.value.refusal is Refusal.NOT_SIGNED


def test_an_older_list_is_refused_by_who_has_seen_the_newer(
    office: Office, agent: Agent, thief: Thief, good: Target
) -> None:
    older, version = thief.present(), thief.version("targets")
    new = publish(office, PROFILE + b"\n")
    assert agent.accepts(new)

    thief.serve(older, version)

    with pytest.raises(Refused, match="version"):
        agent.accepts(good)


def test_a_package_of_the_thief_is_refused_though_the_ticket_is_good(tmp_path: Path) -> None:
    office = Office(tmp_path / "office")
    with office.open():
        host = Workstation(office)
        with host.https:
            manifest = host.release({"bin/app": noise(1, 9_000)}, "1.1", patched=False)
            evil = make_zip(tmp_path / "evil.zip", {"bin/app": noise(2, 9_000)})
            content = office.packages.path(manifest.content_sha256)
            assert content is not None
            content.write_bytes(evil.read_bytes().ljust(manifest.content_size, b"\0"))
            with pytest.raises(Refused) as refused:
                host.unpack(manifest)
            assert refused.value.refusal is Refusal.PACKAGE_MISMATCH
            assert not host.into.exists()


def test_a_coordinator_made_of_the_stolen_ca_is_believed_and_its_releases_are_not(
    tmp_path: Path, office: Office, agent: Agent, good: Target
) -> None:
    other = Office(tmp_path / "other")  # the thief's own signing keys
    evil = other.repository.add(NAME, EVIL)
    other.publish()
    shutil.copytree(office.data / "ca", tmp_path / "stolen")
    pair = Authority.open(tmp_path / "stolen").issue_coordinator(tmp_path / "pair")
    with serving(other.routes(), server_context(pair)) as address:
        other.address = address
        agent.https.close()
        with other.https(agent.state) as agent.https:
            assert agent.https.get_bytes(f"{METADATA}timestamp.json", 20_000)
            for target in (evil, good):
                with pytest.raises(Refused) as refused:
                    agent.accepts(target)
                assert refused.value.refusal is Refusal.NOT_SIGNED


def test_what_was_signed_can_be_repeated_and_kept_fresh(
    agent: Agent, thief: Thief, good: Target
) -> None:
    for _ in range(3):
        thief.serve(thief.present(), thief.version("targets"))
        assert agent.accepts(good)


def test_what_was_signed_cannot_be_kept_fresh_for_ever(office: Office, agent: Agent) -> None:
    office.clock.ahead = -91 * DAY
    target = publish(office, PROFILE)
    office.clock.ahead = 0
    thief = Thief(office)
    thief.serve(thief.present(), thief.version("targets"))
    with pytest.raises(Refused, match="targets is expired"):
        agent.accepts(target)
