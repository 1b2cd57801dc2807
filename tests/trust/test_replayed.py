"""Metadata of other days, and packages that end early, over real HTTPS."""

from pathlib import Path

import pytest

from agent.steps.table import Refused
from agent.wire.contract import Refusal, Target
from tests.trust.keyring import PROFILE, Agent, publish
from tests.trust.office import Office
from tests.trust.workstation import Workstation, noise

HOUR = 3600.0
PAGE = 4096


def is_refused(agent: Agent, target: Target, why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        agent.accepts(target)
    assert refused.value.refusal is Refusal.NOT_SIGNED


def _present(metadata: Path, role: str) -> Path:
    if role == "timestamp":
        return metadata / "timestamp.json"
    return max(metadata.glob(f"*.{role}.json"), key=lambda file: int(file.name.split(".")[0]))


MIXED = [
    ("targets",),
    ("snapshot",),
    ("timestamp",),
    ("snapshot", "targets"),
    ("timestamp", "targets"),
    ("timestamp", "snapshot"),
]


@pytest.mark.parametrize("older", MIXED, ids="+".join)
def test_of_metadata_of_two_days_nothing_is_taken_that_was_not_signed_together(
    office: Office, agent: Agent, older: tuple[str, ...]
) -> None:
    metadata = office.repository.folder / "metadata"
    old = publish(office, PROFILE)
    assert agent.accepts(old)
    before = {role: _present(metadata, role).read_bytes() for role in older}
    new = publish(office, PROFILE + b"\n")

    for role, raw in before.items():
        _present(metadata, role).write_bytes(raw)

    for target in (new,) if "timestamp" in older else (new, old):  # its own day is still good
        with pytest.raises(Refused):
            agent.accepts(target)


@pytest.mark.parametrize(("hours", "good"), [(23, True), (25, False), (24 * 30, False)])
def test_a_mirror_that_is_frozen_is_found_out_within_a_day(
    office: Office, agent: Agent, hours: float, good: bool
) -> None:
    target = publish(office, PROFILE)
    office.clock.ahead = -hours * HOUR
    office.repository.refresh()
    office.clock.ahead = 0

    if good:
        assert agent.accepts(target)
    else:
        is_refused(agent, target, "timestamp.json is expired")


def test_a_package_that_ends_early_anywhere_stages_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path / "office")
    with office.open():
        host = Workstation(office)
        with host.https:
            manifest = host.release({"bin/app": noise(1, 16 * PAGE)}, "1.1", patched=False)
            content = office.packages.path(manifest.content_sha256)
            assert content is not None
            whole = content.read_bytes()
            for end in range(0, len(whole), PAGE):
                content.write_bytes(whole[:end])
                with pytest.raises(Refused) as refused:
                    host.unpack(manifest)
                assert refused.value.refusal is Refusal.PACKAGE_MISMATCH
                assert not host.into.exists()
            content.write_bytes(whole)
            host.unpack(manifest)
            assert host.has() == {"bin/app": noise(1, 16 * PAGE)}
