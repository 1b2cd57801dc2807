"""Identifiers that sort by time: 48 bits of milliseconds, 80 of chance, Crockford's base 32."""

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RANDOM_BYTES = 10


def make_ulid(now: float, chance: bytes) -> str:
    """Return the ULID of a moment (seconds since 1970) and ten random bytes (26 characters)."""
    if len(chance) != RANDOM_BYTES:
        raise ValueError(f"a ULID takes {RANDOM_BYTES} random bytes, not {len(chance)}")
    number = int(now * 1000) << 80 | int.from_bytes(chance, "big")
    return "".join(_LETTERS[number >> shift & 31] for shift in range(125, -5, -5))
