from pathlib import Path

import pytest

from agent.config import ConfigError, Coordinator, find_installation, find_place, read_config
from agent.steps.table import Refused
from agent.wire.contract import Refusal
from tests.agent.fakes import config_of, profile_of

COORDINATOR = '[[coordinators]]\nlink = "c.lan:7701"\nhttps = "https://c.lan:7702"\n'
GOOD = (
    'host = "pc-03-1f2e3d"\n'
    + COORDINATOR
    + '[apps.starface]\nfolder = "/srv/starface"\nvalues = { port = "8085" }\n'
)


def written(folder: Path, text: str) -> Path:
    file = folder / "agent.toml"
    file.write_text(text, "utf-8")
    return file


def test_a_config_is_read_whole(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, GOOD))
    assert config.host == "pc-03-1f2e3d"
    assert config.state == tmp_path
    assert config.coordinators == (Coordinator("c.lan:7701", "https://c.lan:7702"),)
    assert config.apps["starface"].folder == Path("/srv/starface")
    assert config.apps["starface"].values == {"port": "8085"}


def test_a_config_may_name_mirrors_to_be_asked_first(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(GOOD + '[mirrors]\nurls = ["http://m.lan/roundsman", "https://[::1]:8443"]\n')

    assert read_config(file).mirrors == ("http://m.lan/roundsman", "https://[::1]:8443")


@pytest.mark.parametrize(
    ("text", "displays"),
    [
        ("", None),
        ("[people]\n", None),
        ("[people]\ndisplays = []\n", ()),
        ('[people]\ndisplays = [":0", ":1"]\n', (":0", ":1")),
    ],
)
def test_a_config_may_name_the_screens_where_people_are_told(
    tmp_path: Path, text: str, displays: tuple[str, ...] | None
) -> None:
    assert read_config(written(tmp_path, GOOD + text)).displays == displays


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("host = 3\n" + COORDINATOR, "agent.toml: host: must be a text"),
        (COORDINATOR, "agent.toml: host: missing"),
        ('host = "../x"\n' + COORDINATOR, "host: .* is not of the expected form"),
        ('host = "pc"\n', r"coordinators: must be one or more \[\[coordinators\]\]"),
        ('host = "pc"\ncoordinators = ["c:1"]\n', "coordinators: must be one or more"),
        ('host = "pc"\n[[coordinators]]\nlink = "c"\n', r"coordinators\[0\]: link: "),
        (
            'host = "pc"\n[[coordinators]]\nlink = "c:1"\nhttps = "http://c:2"\n',
            r"coordinators\[0\]: https: ",
        ),
        ('host = "pc"\nhosts = 1\n' + COORDINATOR, "hosts: unknown; known here: host, state"),
        ('host = "pc"\nstate = "x"\n' + COORDINATOR, "state: .* must be an absolute path"),
        (GOOD.replace('"8085"', "8085"), "apps: starface: values: port: must be a text"),
        (GOOD.replace("{ port", "3 # "), "apps: starface: values: must be a table"),
        (GOOD + "[people]\ndisplays = 3\n", "people: displays: must be a list of texts"),
        (GOOD + "[people]\nscreens = []\n", "people: screens: unknown; known here: displays"),
        (GOOD + "[mirrors]\nurls = 3\n", "mirrors: urls: must be a list of texts"),
        (GOOD + '[mirrors]\nurls = ["file:///srv"]\n', "mirrors: urls: .* is no address like"),
        (GOOD + '[mirrors]\nurls = ["http://a b/"]\n', "mirrors: urls: .* is no address like"),
        (GOOD + '[mirrors]\nurls = ["http://u:p@a/"]\n', "mirrors: urls: .* is no address like"),
        (GOOD + "[mirrors]\nurl = []\n", "mirrors: url: unknown; known here: urls"),
        ("host =\nstate = 1\n", "agent.toml: cannot be read: .*line 1"),
    ],
)
def test_a_malformed_config_names_file_and_key(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        read_config(written(tmp_path, text))


def test_a_missing_config_says_that_the_host_is_not_enrolled(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not enrolled: roundsman-agent enrol"):
        read_config(tmp_path / "agent.toml")


def test_the_host_says_where_the_app_is(tmp_path: Path) -> None:
    found = find_installation(config_of(tmp_path), profile_of())
    assert found.folder == tmp_path / "app"
    assert found.values == {"port": "8085"}


def test_an_app_that_is_no_more_has_a_place_all_the_same(tmp_path: Path) -> None:
    assert find_place(config_of(tmp_path), profile_of()).folder == tmp_path / "app"
    elsewhere = find_place(config_of(tmp_path), profile_of("elsewhere"))
    assert elsewhere.folder == Path("/opt/bench-app")


def test_an_app_that_is_nowhere_is_refused_with_the_folders_tried(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r'"/opt/bench-app".*\[apps.elsewhere\]') as caught:
        find_installation(config_of(tmp_path), profile_of("elsewhere"))
    assert caught.value.refusal is Refusal.APP_ABSENT
