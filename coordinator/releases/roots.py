"""The next root of a fleet: made, judged, and told in words. Pure.

House rules that TUF itself leaves open: the same people sign root and targets, of whom so many
must; what signs daily is the coordinator's online key, and never one of theirs.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from itertools import pairwise

from tuf.api.metadata import Key, Metadata, Root, Targets

from coordinator.releases.metadata import (
    LIFETIMES,
    SIGNED_BY_HAND,
    SIGNED_DAILY,
    Holders,
    unsigned_root,
)
from coordinator.releases.signatures import NotPublished, parsed, standing

MOST_KEYS = 9
NOT_NEXT = "the root in it does not follow the present one; make the change anew"
_SLACK = dt.timedelta(days=1)


def holders_of(root: Root) -> Holders:
    """Return who signs root and targets."""
    return Holders(_keys(root, Root.type), root.roles[Root.type].threshold)


def online_of(root: Root) -> tuple[Key, ...]:
    """Return what signs daily."""
    return _keys(root, SIGNED_DAILY[0])


def next_root(
    old: Root, now: dt.datetime, holders: Holders | None = None, online: Sequence[Key] = ()
) -> Root:
    """Return the root after `old`, unsigned: the same but for what is given, and a new expiry."""
    return unsigned_root(
        old.version + 1, holders or holders_of(old), online or online_of(old), now
    )


def as_bytes(root: Root) -> bytes:
    """Return a root as it is to be signed."""
    return Metadata(root).to_bytes()


def check_next(old: Root, new: Root, online: Collection[str], now: dt.datetime) -> None:
    """Raise `NotPublished` unless `new` may follow `old`, its signatures apart.

    Args:
        old: The root before it.
        new: The root that is judged.
        online: The fingerprints of the online keys that the coordinator has.
        now: The time.
    """
    _check_rules(old, new)
    if not {key.keyid for key in online_of(new)} <= set(online):
        raise NotPublished(
            "cannot change the keys: it names an online key that this coordinator does not have"
        )
    if not now < new.expires <= now + LIFETIMES[Root] + _SLACK:
        raise NotPublished(
            f"cannot change the keys: the new root would end on {new.expires:%d %B %Y}, "
            "which is not within the year to come"
        )


def _check_rules(old: Root, new: Root) -> None:
    for rule, why in _RULES:
        if not rule(old, new):
            raise NotPublished(f"cannot change the keys: {why}")


def _follows(old: Root, new: Root) -> bool:
    return new.version == old.version + 1


def _is_consistent(_old: Root, new: Root) -> bool:
    return bool(new.consistent_snapshot)


def _has_same_holders(_old: Root, new: Root) -> bool:
    by_hand = [new.roles[role] for role in SIGNED_BY_HAND]
    daily = [new.roles[role] for role in SIGNED_DAILY]
    return by_hand[0] == by_hand[1] and daily[0] == daily[1] and daily[0].threshold == 1


def _has_enough(_old: Root, new: Root) -> bool:
    holders = holders_of(new)
    return holders.threshold <= len(holders.keys) <= MOST_KEYS and bool(online_of(new))


def _has_each_once(_old: Root, new: Root) -> bool:
    every = [*holders_of(new).keys, *online_of(new)]
    return len({key.keyval["public"] for key in every}) == len(every)


_RULES = (
    (_follows, NOT_NEXT),
    (_is_consistent, "its files would not be named by their versions"),
    (_has_same_holders, "root and targets must be signed by the same keys"),
    (_has_enough, f"it takes 1 to {MOST_KEYS} keys, and no more signatures than keys"),
    (_has_each_once, "one key is named twice; each person has one of their own"),
)


def chain_in_words(roots: Sequence[bytes]) -> list[str]:
    """Return what changes from the first root to the last.

    Raises `NotPublished` for a root that is not as ours are: words would not say all of it.
    """
    chain = [parsed(Root, raw).signed for raw in roots]
    for old, new in pairwise(chain):
        _check_rules(old, new)
    return [line for old, new in pairwise(chain) for line in in_words(old, new)]


def check_chain(known: bytes | None, roots: Sequence[bytes]) -> None:
    """Raise `NotPublished` unless these roots, from version 1 on, lead on from a known one."""
    chain = [parsed(Root, raw) for raw in roots]
    if known is not None:
        seen = parsed(Root, known)
        chain = chain[seen.signed.version - 1 :]
        if not chain or chain[0].signed_bytes != seen.signed_bytes:
            raise NotPublished(_OTHER_ROOT)
    for old, new in pairwise(chain):
        follows = new.signed.version == old.signed.version + 1
        if not follows or not all(standing(new, Root.type, [old.signed, new.signed])):
            raise NotPublished(_OTHER_ROOT)


_OTHER_ROOT = (
    "cannot use what the coordinator gives as the present keys: they do not follow from those "
    "that this user has seen before"
)


def in_words(old: Root, new: Root) -> list[str]:
    """Return what changes with a root, for whoever is to sign it."""
    before, after = holders_of(old), holders_of(new)
    said = [f"root version {new.version}, good until {new.expires:%d %B %Y}"]
    said += [f"takes away the key {short(k)}" for k in _without(before.keys, after.keys)]
    said += [f"adds the key {short(k)}" for k in _without(after.keys, before.keys)]
    said += [
        f"takes away the online key {short(k)}" for k in _without(online_of(old), online_of(new))
    ]
    said += [f"adds the online key {short(k)}" for k in _without(online_of(new), online_of(old))]
    kept = ", ".join(short(key.keyid) for key in after.keys)
    return [*said, f"from then on it takes {after.threshold} of {len(after.keys)} keys: {kept}"]


def _without(some: Sequence[Key], others: Sequence[Key]) -> list[str]:
    gone = {key.keyid for key in others}
    return [key.keyid for key in some if key.keyid not in gone]


def short(fingerprint: str) -> str:
    """Return a fingerprint as people read it out: its first 16 digits, in fours."""
    return " ".join(fingerprint[at : at + 4] for at in range(0, 16, 4))


def targets_again(current: Targets, now: dt.datetime) -> bytes:
    """Return the present list with its next version and a new expiry, to be signed."""
    listed = Targets(
        current.version + 1, expires=now + LIFETIMES[Targets], targets=current.targets
    )
    return Metadata(listed).to_bytes()


def _keys(root: Root, role: str) -> tuple[Key, ...]:
    return tuple(root.keys[keyid] for keyid in root.roles[role].keyids)
