"""What many hosts saw, written down in few words: in a group that is closed all see the same.

Each change of a host is preceded by a look at all others, and each look is recorded: a word for
every host would make the record of a rollout grow with the square of its group.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agent.wire.codec import decode, encode
from coordinator.walk.ports import SightOf

_NOBODY = "-"
Packed = list[dict[str, Any]]


def pack(hosts: Sequence[str], sights: Sequence[SightOf]) -> Packed:
    """Return the sights of some of these hosts: each different one once, and whose it is.

    Of several confirmations the earliest moment is kept for all: no lease is counted longer.
    """
    place = {host: number for number, host in enumerate(hosts)}
    same: dict[SightOf, list[SightOf]] = {}
    for of in sights:
        kind = of if of.sight is None else replace(of, host=_NOBODY, confirmed_at=0.0)
        same.setdefault(kind, []).append(of)
    return [
        {
            "said": encode(replace(ones[0], confirmed_at=min(o.confirmed_at for o in ones))),
            "of": _ranges([place[o.host] for o in ones]),
        }
        for ones in same.values()
    ]


def unpack(hosts: Sequence[str], packed: Packed) -> list[SightOf]:
    """Return the sights that were packed, in the order of the hosts."""
    found: dict[int, SightOf] = {}
    for one in packed:
        said = decode(SightOf, one["said"])
        for first, last in one["of"]:
            for number in range(first, last + 1):
                found[number] = replace(said, host=hosts[number])
    return [found[number] for number in sorted(found)]


def _ranges(places: Sequence[int]) -> list[list[int]]:
    """Return [first, last] of each run of places that follow one another."""
    runs: list[list[int]] = []
    for number in sorted(places):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs
