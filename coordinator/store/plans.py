"""Reads plans that are kept as text."""

import json
from functools import lru_cache

from agent.wire.codec import decode
from coordinator.model import Plan

_KEPT = 8


@lru_cache(_KEPT)
def read_plan(text: str) -> Plan:
    """Return a plan. It is frozen, and that of a large group takes long to read: some are kept."""
    return decode(Plan, json.loads(text))
