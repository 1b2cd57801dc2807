"""The one-time code that opens a sealed host when the coordinator cannot be asked.

The coordinator keeps the code, a host its salted hash only; both sides hash it here, alike.
"""

import hashlib
import hmac
import secrets

_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUPS, _GROUP = 3, 4
_COST = 2**9
"""Of scrypt: half a megabyte and a millisecond a try. With 58 random bits in a code that lives a
day this is ample; more would keep a large office waiting while its codes are made."""


def new_code() -> str:
    """Return a fresh code, easy to read over the telephone (about 58 bits)."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def new_salt() -> str:
    """Return a fresh salt, hexadecimal."""
    return secrets.token_hex(16)


def hash_code(code: str, salt: str) -> str:
    """Return the hash of a code as typed, hexadecimal; case, spaces and dashes do not count."""
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    digest = hashlib.scrypt(plain.encode(), salt=bytes.fromhex(salt), n=_COST, r=8, p=1, dklen=32)
    return digest.hex()


def code_fits(code: str, salt: str, expected: str) -> bool:
    """True when `code` is the one whose hash is `expected`; never true without a hash."""
    return bool(expected) and hmac.compare_digest(hash_code(code, salt), expected)
