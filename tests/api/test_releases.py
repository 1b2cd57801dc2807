"""Packages and profiles over the API: taken in, seen by whoever signs, published."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from agent.wire.https import Https
from agent.wire.https_errors import Refused
from coordinator.api.asks import PREFIX, PackageAsk, ProfileAsk
from coordinator.complaint import Complaint
from coordinator.releases.keys import SIGNING_KEY, make_signing_key
from coordinator.signing import key_file, read_list, sign_list
from tests.api.real import APP, PASSPHRASE, PROFILE, RealOffice, make_zip

ASK = PackageAsk(app=APP, version="1.1", notes="Faster.\nFixes printing.")


def _key(office: RealOffice) -> Path:
    return key_file(None, office.settings.home)


def test_a_package_is_taken_in_signed_elsewhere_and_published(
    office: RealOffice, tmp_path: Path
) -> None:
    with office.client() as client:
        added = client.add_package(ASK, make_zip(tmp_path / "r.zip"))
        client.add_profile(ProfileAsk(text=PROFILE))
        assert (added.signed, added.notes) == (False, ASK.notes)
        found = client.unsigned()
        vouched = {item.what: item for item in read_list(found.unsigned, client.content)}
        assert vouched["package"].files == 1
        assert "stops and starts the system's unit om-server.service" in vouched["profile"].actions
        done = client.publish(sign_list(found.unsigned, _key(office), PASSPHRASE))
        assert [t.new for t in done.targets] == [True, True]
        assert [p.signed for p in client.packages(APP)] == [True]
        assert [p.signed for p in client.profiles()] == [True]
        assert not any(t.new for t in client.unsigned().targets)


def test_the_upload_leaves_nothing_beside_the_package(office: RealOffice, tmp_path: Path) -> None:
    with office.client() as client:
        client.add_package(ASK, make_zip(tmp_path / "r.zip"))
        client.add_package(ASK, make_zip(tmp_path / "r.zip"))
        assert len(client.packages()) == 1
    assert list((office.settings.home / "uploads").iterdir()) == []


def test_an_upload_that_was_cut_by_a_crash_is_deleted_after_a_week(
    office: RealOffice, tmp_path: Path
) -> None:
    uploads = office.settings.home / "uploads"
    uploads.mkdir(exist_ok=True)
    for name in ("old.part", "new.part"):
        (uploads / name).write_bytes(b"half of it")
    os.utime(uploads / "old.part", (0, 0))
    with office.client() as client:
        client.add_package(ASK, make_zip(tmp_path / "r.zip"))
    assert [path.name for path in uploads.iterdir()] == ["new.part"]


def test_a_package_that_the_disk_does_not_take_is_told_in_words(
    office: RealOffice, tmp_path: Path
) -> None:
    folder = office.settings.packages_folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_bytes(b"a disk that does not take it")
    with office.client() as client, pytest.raises(Complaint, match="cannot keep the package"):
        client.add_package(ASK, make_zip(tmp_path / "r.zip"))


def test_what_is_signed_cannot_be_changed_under_the_same_version(
    office: RealOffice, tmp_path: Path
) -> None:
    with office.client() as client:
        client.add_package(ASK, make_zip(tmp_path / "r.zip"))
        office.sign()
        assert client.add_package(ASK, tmp_path / "r.zip").signed
        other = make_zip(tmp_path / "o.zip", version=b"app=1.1 in another way\n")
        with pytest.raises(Complaint, match="signed already, with other content"):
            client.add_package(ASK, other)


def test_a_zip_that_leaves_its_folder_is_refused(office: RealOffice, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("../evil.txt", b"x")
    with office.client() as client, pytest.raises(Complaint, match="evil"):
        client.add_package(ASK, bad)


def test_what_is_no_zip_is_refused(office: RealOffice, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"MZ this is a program")
    with office.client() as client, pytest.raises(Complaint, match="no sound zip file"):
        client.add_package(ASK, bad)


def test_a_package_that_is_not_there_is_said_so(office: RealOffice, tmp_path: Path) -> None:
    with office.client() as client, pytest.raises(Complaint, match=r"cannot read .*No such file"):
        client.add_package(ASK, tmp_path / "absent.zip")


def test_a_package_larger_than_the_disk_is_refused_before_it_is_sent(office: RealOffice) -> None:
    access = office.access()
    headers = {"Authorization": f"Bearer {access.token}"}
    with (
        Https(access.address, access.ca, headers, seconds=20) as https,
        Path("/dev/null").open("rb") as nothing,
        pytest.raises(Refused, match="disk has") as caught,
    ):
        https.send_file(f"{PREFIX}/packages?app={APP}&version=1.1", nothing, 60 * 2**30)
    assert caught.value.status == 507


def test_a_malformed_profile_is_refused_with_file_line_and_key(office: RealOffice) -> None:
    text = PROFILE.replace("kill = true", "kill = 7")
    ask = ProfileAsk(text=text, file="mine.toml")
    with office.client() as client, pytest.raises(Complaint, match=r"mine.toml:\d+: app.kill: "):
        client.add_profile(ask)


def test_a_list_signed_with_another_key_is_not_published(
    office: RealOffice, tmp_path: Path
) -> None:
    make_signing_key(tmp_path / "stick", PASSPHRASE)
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
        signed = sign_list(
            client.unsigned().unsigned, tmp_path / "stick" / SIGNING_KEY, PASSPHRASE
        )
        with pytest.raises(Complaint, match="not signed with the signing key of this fleet"):
            client.publish(signed)
        assert [p.signed for p in client.profiles()] == [False]


def test_an_old_list_is_not_published(office: RealOffice) -> None:
    with office.client() as client:
        old = client.unsigned().unsigned
        client.add_profile(ProfileAsk(text=PROFILE))
        office.sign()
        with pytest.raises(Complaint, match="another list was published"):
            client.publish(sign_list(old, _key(office), PASSPHRASE))


def test_whoever_signs_sees_what_the_list_names_and_nothing_else(office: RealOffice) -> None:
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
        unsigned = client.unsigned().unsigned
    harmless = PROFILE.replace("om-server.service", "harmless.service").encode()
    with pytest.raises(Complaint, match="is not what the list names"):
        read_list(unsigned, lambda _name, _sha256: harmless)


def test_a_wrong_passphrase_is_said_so(office: RealOffice) -> None:
    unsigned = office.repository.unsigned().decode()
    with pytest.raises(Complaint, match="the passphrase is wrong") as caught:
        sign_list(unsigned, _key(office), "not the passphrase")
    assert caught.value.mend.startswith("try again with the passphrase")


def test_the_key_may_be_on_a_stick(office: RealOffice, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    office.settings.signing_folder.rename(stick)
    assert key_file(stick, office.settings.home) == stick / SIGNING_KEY
    assert key_file(stick / SIGNING_KEY, office.settings.home) == stick / SIGNING_KEY
    unsigned = office.repository.unsigned().decode()
    with pytest.raises(Complaint, match="cannot read the signing key") as caught:
        sign_list(unsigned, key_file(None, office.settings.home), PASSPHRASE)
    assert "--key" in caught.value.mend


def test_a_target_nobody_knows_is_not_given(office: RealOffice) -> None:
    with office.client() as client, pytest.raises(Complaint, match="no target"):
        client.content("profiles/office-maker.toml", "0" * 64)
