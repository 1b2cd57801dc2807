"""A guard with nothing around it: `python -m tests.bench.guard_alone DIR`.

The app is in DIR/app, the journal in DIR/state. Says "on" once it guards; the cordon is renewed
every ten seconds, as a coordinator's pings would.
"""

import select
import sys
from contextlib import closing
from pathlib import Path

from agent.cordon import Cordon
from agent.cordon_record import CordonTools
from agent.journal import Journal
from agent.logs import Logs
from agent.platforms.linux import Linux
from agent.wire.contract import CordonMode, CordonOrder
from tests.agent.fakes import (
    FENCE,
    PROFILE,
    ROLLOUT,
    FakePackages,
    FakePeople,
    config_of,
    profile_of,
)

_RENEW_SECONDS = 10.0
_ORDER = CordonOrder(ROLLOUT, PROFILE, CordonMode.SEALED, FENCE, text="until 18:30")


def main() -> None:
    config, packages = config_of(Path(sys.argv[1])), FakePackages(profile_of())
    tools = CordonTools(Linux(), config, packages.profile, FakePeople())
    with (
        closing(Journal.open(config.state / "journal.sqlite")) as journal,
        closing(Logs(config.state, journal)),
        closing(Cordon(journal, tools)) as cordon,
    ):
        cordon.start()
        assert cordon.apply(_ORDER).guarded
        sys.stdout.write("on\n")
        sys.stdout.flush()
        while not select.select([sys.stdin], [], [], _RENEW_SECONDS)[0]:
            cordon.apply(_ORDER)


if __name__ == "__main__":
    main()
