"""The terms that are signed with a package, out of its manifest."""

import json
from functools import lru_cache

from agent.wire.contract import Target
from agent.wire.terms import NO_TERMS, Terms
from coordinator.releases.repository import Repository
from coordinator.terms import read_terms


@lru_cache(maxsize=256)
def terms_in(repository: Repository, target: Target) -> Terms:
    """Return the terms of a package; a target's content never changes, so once is enough.

    Raises `OSError`, or `ValueError` for terms that cannot be judged: they may ask for anything.
    """
    manifest = json.loads(repository.content(target))
    return read_terms(manifest["terms"]) if "terms" in manifest else NO_TERMS
