"""`roundsman serve` does not start where it could sign releases, and says what agents refuse."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coordinator.complaint import Complaint
from coordinator.releases.keys import open_online_key
from coordinator.releases.repository import init_repository
from coordinator.settings import Settings, read_settings
from coordinator.unlocked import check_keys, expired
from tests.api.real import PASSPHRASE, copy_home

DAY = 86_400


@pytest.fixture
def settings(template: Path, tmp_path: Path) -> Settings:
    """A coordinator of its own that nobody serves yet."""
    copy_home(template, tmp_path).database.dispose()
    return read_settings(tmp_path / "home")


def cannot(settings: Settings, **environment: str) -> str:
    """Return what a real `roundsman serve` says that does not start; its exit code is 2."""
    done = subprocess.run(
        [sys.executable, "-m", "coordinator.cli", "serve"],
        env=os.environ | {"ROUNDSMAN_HOME": str(settings.home)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: cannot serve: ")
    assert "mend: " in done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def pem(key: "Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey") -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_a_home_as_it_was_made_may_be_served(settings: Settings) -> None:
    check_keys(settings, {})


def test_an_unencrypted_key_is_named_and_not_served_with(settings: Settings) -> None:
    file = settings.signing_folder / "mine.pem"
    file.write_bytes(pem(Ed25519PrivateKey.generate()))
    said = cannot(settings)
    assert f"{file} is a private key that is not encrypted" in said
    assert "roundsman keys ceremony" in said


def test_a_passphrase_in_the_environment_of_serve_is_refused(settings: Settings) -> None:
    said = cannot(settings, ROUNDSMAN_PASSPHRASE=PASSPHRASE)
    assert "environment variable ROUNDSMAN_PASSPHRASE" in said
    assert PASSPHRASE not in said


def test_a_passphrase_file_beside_the_key_is_refused(settings: Settings) -> None:
    file = settings.signing_folder / "passphrase"
    file.write_text(f"{PASSPHRASE}\n")
    said = cannot(settings)
    assert f"stands in {file}" in said
    assert PASSPHRASE not in said


def refused(settings: Settings, why: str) -> None:
    with pytest.raises(Complaint, match=why) as caught:
        check_keys(settings, {})
    assert caught.value.mend


@pytest.mark.parametrize(
    "text",
    [
        f"  {PASSPHRASE}  ",
        f"# for the key\r\nPASS={PASSPHRASE}\r\n",
        f'passphrase: "{PASSPHRASE}"',
        f"\n\n{PASSPHRASE}",
    ],
)
@pytest.mark.parametrize("place", ["note.txt", "signing/.secret", "ca/deep/below"])
def test_it_is_found_however_it_is_written_down(settings: Settings, text: str, place: str) -> None:
    file = settings.home / place
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    refused(settings, f"stands in {file}")


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(65537, 2048),
        Ed25519PrivateKey.generate(),
    ],
    ids=["ec", "rsa", "ed25519"],
)
@pytest.mark.parametrize("place", ["old.key", "signing/k", "repository/k.pem", "ca/k"])
def test_any_kind_of_unlocked_key_anywhere_in_the_home_is_found(
    settings: Settings,
    key: "Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey",
    place: str,
) -> None:
    (settings.home / place).write_bytes(pem(key))
    refused(settings, "is a private key that is not encrypted")


def test_a_key_as_der_or_as_ssh_writes_it_is_found(settings: Settings) -> None:
    key, nothing = Ed25519PrivateKey.generate(), serialization.NoEncryption()
    forms = {
        "der": (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8),
        "ssh": (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH),
    }
    for name, (encoding, form) in forms.items():
        file = settings.home / name
        file.write_bytes(key.private_bytes(encoding, form, nothing))
        refused(settings, f"{file} is a private key")
        file.unlink()


def test_a_folder_of_keys_that_is_linked_is_looked_into(
    settings: Settings, tmp_path: Path
) -> None:
    settings.signing_folder.rename(tmp_path / "stick")
    settings.signing_folder.symlink_to(tmp_path / "stick")
    check_keys(settings, {})
    (tmp_path / "stick" / "words").write_text(PASSPHRASE)
    refused(settings, "stands in")


def test_a_key_kept_elsewhere_may_have_its_passphrase_anywhere(
    settings: Settings, tmp_path: Path
) -> None:
    settings.signing_folder.rename(tmp_path / "stick")
    (settings.home / "words").write_text(PASSPHRASE)
    check_keys(settings, {"ROUNDSMAN_PASSPHRASE": PASSPHRASE})


def test_an_online_key_that_signs_releases_is_refused(settings: Settings) -> None:
    shutil.rmtree(settings.repository_folder)
    settings.repository_folder.mkdir()
    online = settings.repository_folder / "online-key.pem"
    (settings.home / "signing" / "signing-key.pem").unlink()
    online.write_bytes(pem(Ed25519PrivateKey.generate()))
    init_repository(settings.repository_folder, open_online_key(online))
    refused(settings, "is a key that signs releases, not encrypted")


def test_an_online_key_that_is_gone_is_told_and_no_other_is_made(settings: Settings) -> None:
    file = settings.repository_folder / "online-key.pem"
    file.unlink()
    assert f"cannot read the online key {file}" in cannot(settings)
    assert not file.exists()


def test_an_online_key_that_agents_do_not_take_is_told(settings: Settings) -> None:
    file = settings.repository_folder / "online-key.pem"
    file.write_bytes(pem(Ed25519PrivateKey.generate()))
    refused(settings, "is not the one that agents take")


@pytest.mark.parametrize("file", ["timestamp.json", "1.root.json", "1.targets.json"])
@pytest.mark.parametrize("raw", [b"", b"{}", b"\xff" * 99])
def test_a_damaged_repository_is_told_in_a_sentence(
    settings: Settings, file: str, raw: bytes
) -> None:
    (settings.repository_folder / "metadata" / file).write_bytes(raw)
    refused(settings, f"cannot use .*{file}: it is damaged")


def test_a_repository_of_which_a_file_is_gone_is_told_in_a_sentence(settings: Settings) -> None:
    (settings.repository_folder / "metadata" / "1.snapshot.json").unlink()
    assert "1.snapshot.json: No such file" in cannot(settings)


def test_what_has_expired_is_said_by_who_starts_it(settings: Settings) -> None:
    assert expired(settings, time.time()) == []
    (targets,) = expired(settings, time.time() + 91 * DAY)
    assert targets.startswith("the signed list of releases expired on ")
    assert "agents refuse everything new" in targets
    assert targets.endswith("mend: roundsman keys renew")
    assert len(expired(settings, time.time() + 366 * DAY)) == 2
