import pytest
from sqlalchemy import Engine

from agent.wire.codes import code_fits
from agent.wire.contract import CordonMode
from coordinator.store.cordons import Cordons
from tests.plans import numbered

HOSTS = ["pc-01", "pc-02"]


@pytest.fixture
def cordons(database: Engine) -> Cordons:
    made = Cordons(database)
    made.want(HOSTS, numbered(1), CordonMode.LEASED)
    return made


def test_each_host_has_a_code_of_its_own_that_fits_its_hash(cordons: Cordons) -> None:
    rows = cordons.all()
    assert rows["pc-01"].code != rows["pc-02"].code
    assert all(code_fits(r.code, r.salt, r.code_hash) for r in rows.values())
    assert not code_fits(rows["pc-01"].code, rows["pc-02"].salt, rows["pc-02"].code_hash)


def test_sealing_keeps_the_code_and_another_rollout_brings_a_new_one(cordons: Cordons) -> None:
    before = cordons.all()["pc-01"]
    cordons.want(HOSTS, numbered(1), CordonMode.SEALED)
    sealed = cordons.all()["pc-01"]
    assert (sealed.mode, sealed.code) == (CordonMode.SEALED, before.code)
    cordons.want(HOSTS, numbered(2), CordonMode.LEASED)
    assert cordons.all()["pc-01"].code != before.code


def test_a_seal_never_becomes_a_lease_but_where_it_was_opened_or_lifted(cordons: Cordons) -> None:
    everywhere = [*HOSTS, "pc-03", "pc-04"]
    cordons.want(everywhere, numbered(1), CordonMode.SEALED)
    cordons.note_opened("pc-02", "was opened", 5.0)
    cordons.lift(["pc-03"])
    cordons.want(everywhere, numbered(2), CordonMode.LEASED)
    rows = cordons.all()
    assert [rows[h].mode for h in everywhere] == [
        CordonMode.SEALED, CordonMode.LEASED, CordonMode.LEASED, CordonMode.SEALED,
    ]  # fmt: skip
    assert {r.rollout for r in rows.values()} == {numbered(2)}
    cordons.want(["pc-01"], numbered(2), CordonMode.LEASED)
    assert cordons.all()["pc-01"].mode is CordonMode.SEALED


def test_a_used_code_stays_used_until_the_seal_is_renewed(cordons: Cordons) -> None:
    before = cordons.all()["pc-01"]
    cordons.note_opened("pc-01", "was opened", 5.0)
    cordons.want(HOSTS, numbered(1), CordonMode.SEALED)
    assert cordons.all()["pc-01"].opened
    cordons.renew("pc-01")
    cordons.renew("pc-02")  # was never opened: keeps its code
    after = cordons.all()["pc-01"]
    assert (after.opened, after.code != before.code) == (False, True)


def test_a_host_that_is_wanted_again_after_its_cordon_was_lifted_has_a_new_code(
    cordons: Cordons,
) -> None:
    before = cordons.all()["pc-01"]
    cordons.lift(["pc-01"])
    cordons.want(HOSTS, numbered(1), CordonMode.SEALED)
    assert cordons.all()["pc-01"].code != before.code


def test_a_lifted_cordon_is_remembered_until_the_host_confirms(cordons: Cordons) -> None:
    cordons.lift(HOSTS)
    assert {r.mode for r in cordons.all().values()} == {CordonMode.NONE}
    cordons.forget("pc-01")
    assert list(cordons.all()) == ["pc-02"]


def test_a_cordon_that_is_wanted_is_never_forgotten(cordons: Cordons) -> None:
    cordons.forget("pc-01")
    assert "pc-01" in cordons.all()
