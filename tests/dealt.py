"""In which order the tests run: the longest are dealt out, and each process begins with its own.

pytest-xdist gives each process an equal run of the list (`--dist worksteal`), and whoever is done
takes from the end of another's. Begun last, one long test would be waited for by all.
"""

from collections.abc import Sequence

_LONGEST_FIRST = (
    "tests/faults/test_kills",
    "tests/faults/test_restart",
    "tests/demo/",
)


def dealt(names: Sequence[str], hands: int) -> list[int]:
    """Return in which order the tests of these names are to run, when so many hands take them."""
    ranks = [_rank(name) for name in names]
    order = sorted(range(len(names)), key=ranks.__getitem__)
    longest = sum(rank < len(_LONGEST_FIRST) for rank in ranks)
    others = order[longest:]
    size = -(-len(others) // hands)
    return [
        item
        for hand in range(hands)
        for item in order[hand:longest:hands] + others[hand * size : (hand + 1) * size]
    ]


def _rank(name: str) -> int:
    found = (rank for rank, begin in enumerate(_LONGEST_FIRST) if name.startswith(begin))
    return next(found, len(_LONGEST_FIRST))
