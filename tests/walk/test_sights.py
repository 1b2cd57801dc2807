from dataclasses import replace

from agent.wire.contract import CordonMode, OpenProgram, Sight
from coordinator.walk.ports import SightOf
from coordinator.walk.sights import pack, unpack

HOSTS = [f"pc-{number:04}" for number in range(1000)]
SEALED = Sight(CordonMode.SEALED, guarded=True)
WORD = OpenProgram("marie", "2", "office", 41, 3.0)


def all_sealed() -> list[SightOf]:
    return [SightOf(host, SEALED, 100.0) for host in HOSTS]


def test_what_all_saw_alike_is_written_once() -> None:
    packed = pack(HOSTS, all_sealed())
    assert len(packed) == 1
    assert unpack(HOSTS, packed) == all_sealed()


def test_every_host_keeps_what_it_saw_and_its_place() -> None:
    sights = all_sealed()
    sights[0] = replace(sights[0], sight=replace(SEALED, open=(WORD,)))
    sights[500] = SightOf(HOSTS[500], None, 0.0, "cannot be seen: not linked")
    sights[501] = SightOf(HOSTS[501], None, 70.0, "cannot be seen: not linked")
    sights[999] = replace(sights[999], asked=False)
    assert unpack(HOSTS, pack(HOSTS, sights)) == sights


def test_hosts_of_which_nothing_is_known_stay_out() -> None:
    some = all_sealed()[1::2]
    assert unpack(HOSTS, pack(HOSTS, some)) == some
    assert unpack(HOSTS, pack(HOSTS, [])) == []


def test_of_several_confirmations_the_earliest_moment_is_kept() -> None:
    sights = [replace(of, confirmed_at=100.0 + n) for n, of in enumerate(all_sealed())]
    assert {of.confirmed_at for of in unpack(HOSTS, pack(HOSTS, sights))} == {100.0}


def test_a_host_out_of_sight_keeps_the_moment_of_its_own_lease() -> None:
    sights = [SightOf(host, None, float(n)) for n, host in enumerate(HOSTS)]
    assert unpack(HOSTS, pack(HOSTS, sights)) == sights
