"""Compares versions and reads ranges of them, as Python's packages write both.

A vendor may number its releases as it likes ("26-spring"). A version that cannot be compared is
never older than another, and never outside a range: nothing is refused because of a number that
nobody understood. Whoever wants to say so asks `compares` first.
"""

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from agent.wire.terms import ModuleTerms


def compares(version: str) -> bool:
    """True when `version` can be set beside another."""
    return _read(version) is not None


def is_older(version: str, other: str) -> bool:
    """True when `version` comes before `other`; one that cannot be compared never does."""
    first, second = _read(version), _read(other)
    return first is not None and second is not None and first < second


def is_in(version: str, range_: str) -> bool:
    """True when `version` is within a range as ">=2.1,<3"; "" is any version.

    One that cannot be compared is never outside. Raises `ValueError` when the range is none.
    """
    try:
        wanted = SpecifierSet(range_)
    except InvalidSpecifier:
        raise ValueError(f'"{range_}" is no range of versions, as ">=2.1,<3" is one') from None
    read = _read(version)
    return read is None or wanted.contains(read, prereleases=True)


def is_range(text: str) -> bool:
    """True when `text` is a range of versions; "" is any version."""
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True


def is_updated_along(module: ModuleTerms, installed: str) -> bool:
    """True when a release updates a module of this version: it brings a newer one, and may."""
    if not module.version or module.version == installed:
        return False
    return is_in(installed, module.updates) and not is_older(module.version, installed)


def _read(version: str) -> Version | None:
    try:
        return Version(version)
    except InvalidVersion:
        return None
