"""The terms that are signed with a package, out of its manifest."""

import json
from functools import lru_cache

from agent.wire.codec import decode
from agent.wire.contract import Target
from agent.wire.terms import NO_TERMS, Terms
from coordinator.releases.repository import Repository


@lru_cache(maxsize=256)
def terms_in(repository: Repository, target: Target) -> Terms:
    """Return the terms of a package; a target's content never changes, so once is enough.

    Raises `OSError` or `ValueError`.
    """
    manifest = json.loads(repository.content(target))
    return decode(Terms, manifest["terms"]) if "terms" in manifest else NO_TERMS
