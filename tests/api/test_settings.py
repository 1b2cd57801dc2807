"""Settings and access: what they say, and what is wrong with them, by file and key."""

import os
from pathlib import Path

import pytest

from coordinator.access import Access, read_access, write_access
from coordinator.complaint import Complaint
from coordinator.folders import home_folder, operator_folder
from coordinator.mail_settings import Language, MailSettings, Security
from coordinator.settings import Settings, SettingsError, read_settings, write_settings


def test_settings_come_back_as_they_were_written(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path,
        listen="::",
        addresses=("a.lan", "2001:db8::7"),
        site='the "old" site \\ Lyon',
    )
    write_settings(settings)
    assert read_settings(tmp_path) == settings
    assert settings.https_addresses == ("a.lan:7702", "[2001:db8::7]:7702")
    assert settings.link_addresses == ("a.lan:7701", "[2001:db8::7]:7701")


def test_the_mail_server_comes_back_as_it_was_written(tmp_path: Path) -> None:
    mail = MailSettings(
        host="mail.lan",
        port=2525,
        security=Security.TLS,
        sender="roundsman@office.example",
        user="roundsman",
        password_file=tmp_path / "mail.password",
        recipients=("ann@office.example", "it@office.example"),
        language=Language.FRENCH,
    )
    write_settings(Settings(home=tmp_path, mail=mail))
    assert read_settings(tmp_path).mail == mail


def test_new_settings_show_how_a_mail_server_is_written(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    write_settings(settings)
    noted = settings.file.read_text("utf-8")
    assert read_settings(tmp_path).mail is None
    settings.file.write_text(noted[noted.index("# [mail]") :].replace("\n# ", "\n")[2:], "utf-8")
    mail = read_settings(tmp_path).mail
    assert mail is not None
    assert (mail.host, mail.port, mail.recipients) == (
        "mail.example.org",
        587,
        ("boss@example.org",),
    )


def test_the_feeds_come_back_as_they_were_written(tmp_path: Path) -> None:
    feeds = {"my-app": "https://vendor.example:8443/a/feed.json?x=1", "other": "/mnt/the share"}
    write_settings(Settings(home=tmp_path, feeds=feeds, feeds_at="06:30"))
    read = read_settings(tmp_path)
    assert (read.feeds, read.feeds_at) == (feeds, "06:30")
    write_settings(Settings(home=tmp_path))
    assert (read_settings(tmp_path).feeds, read_settings(tmp_path).feeds_at) == ({}, "")


@pytest.mark.parametrize(
    ("given", "port"), [("", 587), ('security = "tls"', 465), ('security = "starttls"', 587)]
)
def test_the_usual_port_of_a_mail_server_need_not_be_said(
    tmp_path: Path, given: str, port: int
) -> None:
    said = f'[mail]\nhost = "mail.lan"\nsender = "a@b.example"\n{given}\n'
    (tmp_path / "coordinator.toml").write_text(said)
    mail = read_settings(tmp_path).mail
    assert mail is not None
    assert mail.port == port


def test_a_password_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "mail.password"
    mail = MailSettings("m", 587, Security.STARTTLS, "a@b", "ann", file)
    with pytest.raises(Complaint, match="cannot read"):
        mail.password()
    file.write_text("secret\n")
    file.chmod(0o644)
    with pytest.raises(Complaint, match="other users of this machine can read it"):
        mail.password()
    file.chmod(0o600)
    assert mail.password() == "secret"
    file.write_text("\n")
    with pytest.raises(Complaint, match="its first line is no password"):
        mail.password()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("link_port = 0", "link_port: must be a port"),
        ('https_port = "7702"', "https_port: must be a port"),
        ("addresses = []", "addresses: must be a list"),
        ("addresses = [1]", "addresses: must be a text"),
        ('site = ""', "site: must be a text"),
        ("feeds = 7", "feeds: must be a section"),
        ('feeds = ["https://x/"]', "feeds: must be a section"),
        ('[feeds]\nmy-app = "http://vendor.example/"', "feeds: my-app: must be an https address"),
        ('[feeds]\nmy-app = "https://a:b@vendor.example/"', "feeds: my-app: must be an https"),
        ('[feeds]\nmy-app = "https://"', "feeds: my-app: must be an https address"),
        ('[feeds]\nmy-app = "share/feeds"', "or the whole path of a folder"),
        ('[feeds]\nmy-app = "/a\\u001b[2J"', "feeds: my-app: must be an https"),
        ("[feeds]\nmy-app = 1", "feeds: my-app: must be an https address"),
        ('[feeds]\n"My App" = "/srv"', "feeds: 'My App': must be an app"),
        ('feeds_at = "6:30"', "feeds_at: must be a time of day"),
        ('feeds_at = "24:00"', "feeds_at: must be a time of day"),
        ("feeds_at = 06:30:00", "feeds_at: must be a time of day"),
        ("colour = 1", "colour: unknown; known are listen,"),
        ("site = ", "not TOML"),
        ("mail = 1", "mail: mail: unknown; known are host,"),
        ("[mail]", "mail: host: missing"),
        ('[mail]\nhost = "m"', "mail: sender: missing"),
        ('[mail]\nhost = "m x"\nsender = "a@b"', "mail: host: must be the name or number"),
        ('[mail]\nhost = "m"\nsender = "a@b\\r\\nBcc: c@d"', "mail: sender: must be an address"),
        ('[mail]\nhost = "m"\nsender = "a@b"\nrecipients = ["a,b@c"]', "mail: recipients: must"),
        ('[mail]\nhost = "m"\nsender = "=?utf-8?b?eA==?=@b"', "mail: sender: must be an address"),
        ('[mail]\nhost = "m"\nsender = "a@b"\nrecipients = "a@c"', "mail: recipients: must be a"),
        ('[mail]\nhost = "m"\nsender = "a@b"\nport = 0', "mail: port: must be a port"),
        ('[mail]\nhost = "m"\nsender = "a@b"\nsecurity = "ssl"', "mail: security: must be one"),
        ('[mail]\nhost = "m"\nsender = "a@b"\nsecurity = ["tls"]', "mail: security: must be"),
        ('[mail]\nhost = "m"\nsender = "a@b"\nsecurity = "none"', "on this machine only"),
        ('[mail]\nhost = "m"\nsender = "a@b"\nuser = "ann"', "user and password_file: either"),
        ('[mail]\nhost = "m"\nsender = "a@b"\nlanguage = "de"', "mail: language: must be one"),
        ('[mail]\nhost = "m"\nsender = "a@b"\nca_file = "ca.pem"', "mail: ca_file: must be the"),
        ('[mail]\nhost = "m"\nsender = "a@b"\npassword = "x"', "mail: password: unknown"),
    ],
)
def test_a_bad_setting_is_named_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "coordinator.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_settings(tmp_path)
    assert str(tmp_path / "coordinator.toml") in caught.value.error
    assert said in caught.value.error


def test_a_home_without_settings_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot find") as caught:
        read_settings(tmp_path)
    assert caught.value.mend.startswith("roundsman init; its folder elsewhere")


def test_settings_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "coordinator.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not TOML"):
        read_settings(tmp_path)


def test_folders_are_as_given_or_as_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDSMAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ROUNDSMAN_CONFIG", str(tmp_path / "config"))
    assert home_folder() == tmp_path / "home"
    assert operator_folder() == tmp_path / "config"
    assert home_folder(tmp_path / "other") == tmp_path / "other"
    monkeypatch.delenv("ROUNDSMAN_HOME")
    assert home_folder().name == "roundsman"


def _access(folder: Path) -> Path:
    write_access(folder, Access("a:1", folder / "ca.pem", "rmo_x"), b"PEM")
    return folder / "operator.toml"


def test_access_comes_back_as_it_was_written(tmp_path: Path) -> None:
    _access(tmp_path)
    assert read_access(tmp_path) == Access("a:1", tmp_path / "ca.pem", "rmo_x")


@pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")
def test_access_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    _access(tmp_path).chmod(0o644)
    with pytest.raises(SettingsError, match="other users") as caught:
        read_access(tmp_path)
    assert caught.value.mend.startswith("chmod 600")


def test_access_that_lacks_a_key_names_it(tmp_path: Path) -> None:
    file = _access(tmp_path)
    file.write_text('address = "a:1"\n')
    with pytest.raises(SettingsError, match="ca: missing"):
        read_access(tmp_path)


def test_a_user_without_access_is_told_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no access") as caught:
        read_access(tmp_path)
    assert "roundsman init" in caught.value.mend
