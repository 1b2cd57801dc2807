"""How long releases are kept that are on offer no more: section [keep] of `coordinator.toml`."""

from coordinator.model import Keep

_MOST = {"days": 3650, "releases": 100}


def read_keep(value: object) -> Keep:
    """Return the section as it is given. Raises `ValueError` naming the key."""
    given = value if isinstance(value, dict) else {}
    if given is not value or any(key not in _MOST for key in given):
        raise ValueError(f"must be a section, [keep], with {' and '.join(_MOST)}")
    for key, number in given.items():
        if type(number) is not int or not 1 <= number <= _MOST[key]:
            raise ValueError(f"{key}: must be a number from 1 to {_MOST[key]}")
    return Keep(**given)
