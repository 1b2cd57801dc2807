"""Everything real: a coordinator, an agent, a screen, and the person there whose turn it is."""

from pathlib import Path

import pytest

from coordinator.cli.demo_workstation import Wares, Workstation
from coordinator.walk.states import RolloutState
from tests.desktop.people import Hands
from tests.desktop.screens import desktop, picture, text_of
from tests.faults.office import WARES, FaultOffice, office
from tests.until import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("uncounted")]
_FROM_INSIDE = """#!/usr/bin/env -S python3 -I
import os, pathlib, time
home = pathlib.Path(__file__).parent
(home / "data" / "opened-on").write_text(os.environ.get("DISPLAY", ""))
while not (home / "data" / "pressed").exists():
    time.sleep(0.1)
(home / "VERSION").write_text("app=1.1\\nservice_manager=1.1\\n")
"""


def _attended(folder: Path) -> Wares:
    """Return the office's wares, but that a person updates from inside the app."""
    before, _, rest = WARES.profile_text().partition("[apply]\n")
    after = rest[rest.index("[data]\n") :]
    text = before.replace('"./officeapp.py"', '"./officeapp.py", "./inside.py"')
    profile = folder / "attended.toml"
    profile.write_text(
        f'{text}[apply]\nkind = "attended"\nopen = ["inside.py"]\nlimit = "2 min"\n\n{after}',
        "utf-8",
    )
    return Wares(profile, WARES.size)


def _seated(made: FaultOffice, host: Workstation, display: str) -> None:
    """Give the workstation a screen, and an app that can be updated from inside."""
    program = host.folder / "inside.py"
    program.write_text(_FROM_INSIDE, "utf-8")
    program.chmod(0o755)
    config = host.state / "agent.toml"
    text = config.read_text("utf-8").replace("displays = []", f'displays = ["{display}"]')
    config.write_text(text, "utf-8")
    made.kill_agent(host)
    made.start_agent(host)
    made.wait_linked()


def test_the_person_at_the_screen_is_told_that_it_is_their_turn_and_updates_it_from_inside(
    tmp_path: Path,
) -> None:
    wares = _attended(tmp_path)
    with (
        desktop() as display,
        Hands(display) as hands,
        office(tmp_path / "o", 1, wares) as made,
    ):
        made.begin("1.1")
        (host,) = made.hosts
        _seated(made, host, display)
        rollout = made.start_rollout("1.1")

        until((host.folder / "data" / "opened-on").exists, 120, "it is opened for them")
        until(lambda: len(hands.screen.tops()) == 1, 30, "their turn is told")
        (notice,) = hands.screen.tops()
        hands.is_still(notice)
        assert "turn" in text_of(picture(display, "attended", notice.id))
        assert "app=1.0" in (host.folder / "VERSION").read_text("utf-8")
        (host.folder / "data" / "pressed").touch()  # the update, in the app that was opened

        with made.client() as client:
            until(lambda: client.rollout(rollout).ended is not None, 120, "the rollout ends")
            assert client.rollout(rollout).state is RolloutState.DONE
        assert "app=1.1" in (host.folder / "VERSION").read_text("utf-8")
        assert (host.folder / "data" / "opened-on").read_text("utf-8") == display
