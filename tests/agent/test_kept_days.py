"""What an agent knows of people it forgets after thirty days, and no later than its next look."""

from contextlib import closing
from pathlib import Path

import pytest

from agent.journal import Journal
from agent.wire.contract import CordonOrder
from tests.agent.fakes import ROLLOUT
from tests.agent.test_cordon import LEASED, SEALED
from tests.agent.test_main import close_app, running, write_config

_FUTURE = "0ZZZZZZZZZ0000000000000000"


def _had_open(config: Path, rollout: str) -> str | None:
    with closing(Journal.open(config.parent / "journal.sqlite")) as journal:
        return journal.memo(f"{rollout}/pc/drain").get("had-open")


@pytest.mark.parametrize(("order", "kept"), [(LEASED, None), (SEALED, "marie")])
def test_who_had_it_open_is_forgotten_unless_the_host_still_is_sealed_for_that_rollout(
    tmp_path: Path, order: CordonOrder, kept: str | None
) -> None:
    config = write_config(tmp_path)
    close_app(config, order)
    for rollout in (ROLLOUT, _FUTURE):
        with closing(Journal.open(config.parent / "journal.sqlite")) as journal:
            journal.memo(f"{rollout}/pc/drain").put("had-open", "marie")
        copy = config.parent / "autosaves" / rollout / "marie" / "letter"
        copy.parent.mkdir(parents=True)
        copy.write_bytes(b"dear")

    with running(config):
        pass

    assert _had_open(config, ROLLOUT) == kept
    assert _had_open(config, _FUTURE) == "marie"
    assert [path.name for path in (config.parent / "autosaves").iterdir()] == [_FUTURE]
