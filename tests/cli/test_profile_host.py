"""`roundsman profile record` and `try` at a terminal."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.wire.contract import Direction, Finding, Severity, StepReport, StepState
from agent.wire.observed import AutoStart, Candidate, Observation, SeenProgram, pieces
from coordinator.api.asks import ProfileAsk
from coordinator.api.roles import OperatorRole
from coordinator.fleet.standing import Standing
from coordinator.walk.ports import News
from coordinator.walk.states import RolloutState
from tests.api.real import APP, PROFILE, RealOffice
from tests.cli.terminal import Terminal
from tests.until import until

HOST = "pc-01-abcdef"
OFFICE = Candidate(
    "/opt/Office Maker",
    (SeenProgram("bin/office", ("ann",), 2, window=True, session=True),),
    (AutoStart("bin/tray", "office.desktop", "Office"),),
)
PHONE = Candidate("/opt/phone", (SeenProgram("phone", ("bob",), 1, window=True, session=True),))
SERVER = Candidate("/opt/server", (SeenProgram("srv", ("root",), 1, unit="srv.service"),))


@pytest.fixture(autouse=True)
def _here(office: RealOffice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PC-01 is linked; the operator works in a folder of their own."""
    office.add_hosts()
    office.links.known[HOST] = Standing(HOST, linked=True)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def _sees(office: RealOffice, *candidates: Candidate, left_out: int = 0) -> None:
    text = pieces(Observation("linux", candidates, left_out))
    office.agents.findings["observe"] = tuple(
        Finding("observed", Severity.NOTE, piece) for piece in text
    )


def _drafted() -> list[str]:
    return sorted(file.name for file in Path().iterdir())


def test_what_people_see_is_drafted_and_the_draft_is_a_profile(
    office: RealOffice, terminal: Terminal
) -> None:
    _sees(office, OFFICE, SERVER)

    said = terminal("profile record PC-01")

    assert said.code == 0
    assert said.out.startswith("office-maker.toml: a draft of what runs in /opt/Office Maker")
    assert _drafted() == ["office-maker.toml"]
    assert terminal("profile check office-maker.toml").code == 0
    assert terminal("profile add office-maker.toml").code == 0


def test_the_host_is_asked_for_nothing_but_what_runs_there(
    office: RealOffice, terminal: Terminal
) -> None:
    _sees(office, OFFICE)
    terminal("profile record PC-01")
    assert office.agents.taken == [(HOST, "observe", "do")]
    assert office.agents.cordons == []


def test_where_two_could_be_meant_both_are_shown_and_one_is_to_be_named(
    office: RealOffice, terminal: Terminal
) -> None:
    _sees(office, OFFICE, PHONE, SERVER, left_out=4)

    said = terminal("profile record PC-01")

    assert said.code == 1
    for shown in ("/opt/Office Maker", "/opt/phone", "srv.service", "4 more folders"):
        assert shown in said.out
    assert "--folder FOLDER" in said.out
    assert _drafted() == []

    said = terminal("profile record PC-01 --name tel --folder", "/opt/phone/")
    assert said.code == 0
    assert _drafted() == ["tel.toml"]


def test_a_file_that_is_there_is_never_overwritten(office: RealOffice, terminal: Terminal) -> None:
    _sees(office, OFFICE)
    Path("office-maker.toml").write_text("mine")

    said = terminal("profile record PC-01")

    assert said.code == 2
    assert "cannot write office-maker.toml: it is there already" in said.err
    assert "--name OTHER" in said.err
    assert Path("office-maker.toml").read_text() == "mine"


def test_a_link_is_not_followed_either(
    office: RealOffice, terminal: Terminal, tmp_path: Path
) -> None:
    _sees(office, OFFICE)
    Path("office-maker.toml").symlink_to(tmp_path / "elsewhere")
    assert terminal("profile record PC-01").code == 2
    assert not (tmp_path / "elsewhere").exists()


def test_a_host_on_which_nothing_runs_says_so(office: RealOffice, terminal: Terminal) -> None:
    _sees(office)
    said = terminal("profile record PC-01")
    assert said.code == 1
    assert "Nothing runs on PC-01" in said.out


def test_programs_get_the_draft_as_json(office: RealOffice, terminal: Terminal) -> None:
    _sees(office, OFFICE)
    said = terminal("profile record PC-01 --json")
    assert said.code == 0
    assert said.json["name"] == "office-maker"
    assert said.json["draft"] == Path("office-maker.toml").read_text("utf-8")
    assert said.json["candidates"][0]["opens_at_log_in"] == ["bin/tray"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("PC-02", "cannot ask PC-02 what runs there: it is not linked"),
        ("PC-77", "no host 'PC-77'"),
        ("PC-01 --folder /opt/none", 'nothing runs from "/opt/none" on PC-01; seen: /opt/Office'),
        ("PC-01 --name ../evil", "name: must be small letters, digits and hyphens"),
        ("PC-01 --name A", "name: must be small letters, digits and hyphens"),
    ],
)
def test_what_cannot_be_recorded_ends_with_two_and_says_why(
    office: RealOffice, terminal: Terminal, words: str, why: str
) -> None:
    _sees(office, OFFICE)
    said = terminal(f"profile record {words}")
    assert said.code == 2
    assert why in said.err


@pytest.mark.parametrize("text", ["", "{", '{"system": "x", "candidates": [{"folder": 1}]}'])
def test_an_agent_that_answers_nonsense_is_named(
    office: RealOffice, terminal: Terminal, text: str
) -> None:
    office.agents.findings["observe"] = (Finding("observed", Severity.NOTE, text),)
    said = terminal("profile record PC-01")
    assert said.code == 2
    assert "cannot understand what PC-01 says runs there" in said.err


def test_a_host_that_does_not_know_the_step_says_so(
    office: RealOffice, terminal: Terminal
) -> None:
    refused = StepReport("", Direction.DO, StepState.REFUSED, 1, detail="this agent knows no step")
    office.agents.reports["observe"] = refused
    said = terminal("profile record PC-01")
    assert said.code == 2
    assert "cannot ask PC-01 what runs there: this agent knows no step" in said.err


def test_a_viewer_may_not_record(office: RealOffice, terminal: Terminal) -> None:
    office.write_access(office.operator_folder, office.access(OperatorRole.VIEWER).token)
    assert terminal("profile record PC-01").code == 2
    assert office.agents.taken == []


# -- try ---------------------------------------------------------------------------------


@pytest.fixture
def signed(office: RealOffice) -> None:
    with office.client() as client:
        client.add_profile(ProfileAsk(text=PROFILE))
    office.sign()


def _meanwhile(office: RealOffice, news: News, act: Callable[[], int]) -> int:
    """Have the rollout that `act` starts end with this news."""

    def end() -> None:
        until(lambda: office.rollouts.all(active=True), 30)
        office.tell(office.rollouts.all()[0].id, news)

    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(end)
        code = act()
        ending.result()
    return code


@pytest.mark.usefixtures("signed")
def test_a_trial_is_a_drill_of_one_host_that_backs_nothing_up(
    office: RealOffice, terminal: Terminal
) -> None:
    done = News(RolloutState.DONE)
    assert _meanwhile(office, done, lambda: terminal("profile try PC-01 --yes").code) == 0
    plan = office.rollouts.all()[0].plan
    assert plan.drill
    assert not plan.backs_up
    assert [host.name for host in plan.hosts] == ["PC-01"]
    assert plan.app == APP


@pytest.mark.usefixtures("signed")
def test_a_trial_that_does_not_go_well_ends_with_one(
    office: RealOffice, terminal: Terminal
) -> None:
    aborted = News(
        RolloutState.ABORTED, "PC-01 cannot close the app: OM Client.exe does not close"
    )
    said = []

    def act() -> int:
        said.append(terminal("profile try PC-01 --yes --grace 5"))
        return said[0].code

    assert _meanwhile(office, aborted, act) == 1
    assert "does not work on PC-01 yet: roundsman rollout report r1" in said[0].out
    assert "OM Client.exe does not close" in said[0].out
    assert "Nothing is updated." in said[0].err
    assert office.rollouts.all()[0].plan.grace_seconds == 5


@pytest.mark.usefixtures("signed")
def test_programs_get_the_outcome_of_a_trial_alone(office: RealOffice, terminal: Terminal) -> None:
    said = []

    def act() -> int:
        said.append(terminal(f"profile try PC-01 --app {APP} --yes --json"))
        return said[0].code

    assert _meanwhile(office, News(RolloutState.DONE), act) == 0
    assert said[0].json["state"] == "done"
    assert said[0].json["drill"]


@pytest.mark.usefixtures("signed")
def test_nobody_is_closed_without_a_yes(
    office: RealOffice, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert terminal("profile try PC-01").code != 0
    assert office.rollouts.all() == []


def test_without_a_signed_profile_there_is_nothing_to_try(terminal: Terminal) -> None:
    said = terminal("profile try PC-01 --yes")
    assert said.code == 2
    assert "no profile is signed" in said.err
