"""A package, and all that vouches for it, with any one byte changed, or cut off anywhere.

By default every value of every byte of the manifest, a blob and a patch, every bit of the zip,
and one bit of every byte of the metadata; MUTANTS=all takes every value everywhere.
"""

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.package_paths import BadPackage
from agent.trusted import NotTrusted
from tests.trust.vault import NEW, OLD, ROLES, Vault

EVERYTHING = os.environ.get("MUTANTS", "") == "all"
VALUES = range(1, 256)
BITS = [1 << bit for bit in range(8)]


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return Vault(tmp_path_factory.mktemp("vault"))


@pytest.fixture(autouse=True)
def _given_nothing_else(vault: Vault) -> Iterator[None]:
    yield
    vault.given = {}


def mutants(raw: bytes, flips: Callable[[], "range | list[int]"]) -> Iterator[bytes]:
    """Yield `raw` with one byte changed, for each byte and each of its flips."""
    for at, byte in enumerate(raw):
        for flip in VALUES if EVERYTHING else flips():
            yield raw[:at] + bytes([byte ^ flip]) + raw[at + 1 :]


def all_values() -> range:
    return VALUES


def each_bit() -> list[int]:
    return BITS


def one_bit(dice: random.Random) -> Callable[[], list[int]]:
    return lambda: [dice.choice(BITS)]


@pytest.mark.parametrize("role", ROLES)
def test_no_mutant_of_metadata_says_anything_else(vault: Vault, role: str) -> None:
    path = vault.path(role)
    raw, refused, count = vault.files[path], 0, 0
    for mutant in mutants(raw, one_bit(random.Random(5))):
        vault.given, count = {path: mutant}, count + 1
        try:
            entry = vault.refreshed()
        except NotTrusted:
            refused += 1
        else:  # a hex digit of a signature in capitals is the same signature
            assert json.loads(mutant)["signed"] == json.loads(raw)["signed"]
            assert entry == vault.entry
    assert refused > 0.8 * count


def test_no_mutant_of_a_manifest_is_accepted(vault: Vault) -> None:
    count = 0
    for mutant in mutants(vault.files[vault.signed], all_values):
        count += 1
        with pytest.raises(NotTrusted):
            vault.manifest_of(mutant)
    assert count >= 100_000


@pytest.mark.parametrize("base", [b"", OLD], ids=["a blob", "a patch"])
def test_no_mutant_of_a_frame_gives_another_file(vault: Vault, base: bytes) -> None:
    for mutant in mutants(vault.patch if base else vault.blob, all_values):
        try:
            assert vault.opened(mutant, base) == NEW
        except BadPackage:
            continue


def test_no_mutant_of_a_zip_unpacks_to_anything_else(vault: Vault) -> None:
    for mutant in mutants(vault.zip, each_bit):
        try:
            vault.unzipped(mutant)
        except BadPackage:
            continue


@pytest.mark.parametrize("role", ROLES)
def test_metadata_that_is_cut_off_anywhere_is_refused(vault: Vault, role: str) -> None:
    path = vault.path(role)
    for end in range(0, len(vault.files[path]), 1 if EVERYTHING else 7):
        vault.given = {path: vault.files[path][:end]}
        with pytest.raises(NotTrusted):
            vault.refreshed()


def test_a_manifest_a_blob_and_a_patch_that_are_cut_off_anywhere_are_refused(vault: Vault) -> None:
    raw = vault.files[vault.signed]
    for end in range(len(raw)):
        with pytest.raises(NotTrusted):
            vault.manifest_of(raw[:end])
    for frame, base in ((vault.blob, b""), (vault.patch, OLD)):
        for end in range(len(frame)):
            with pytest.raises(BadPackage):
                vault.opened(frame[:end], base)


def test_what_is_whole_is_accepted(vault: Vault, tmp_path: Path) -> None:
    assert vault.refreshed() == vault.entry
    assert vault.manifest_of(vault.files[vault.signed])
    assert vault.opened(vault.blob) == vault.opened(vault.patch, OLD) == NEW
    vault.unzipped(vault.zip)
