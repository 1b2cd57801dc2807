"""A daemon that dies at the worst moment: `python -m tests.notify.dies WHEN FOLDER PORT`."""

import os
import sys
from pathlib import Path

from coordinator.mail_settings import MailSettings, Security
from coordinator.notify.line import Patience
from coordinator.notify.postman import Postman
from coordinator.store.database import open_database
from coordinator.store.outbox import Outbox
from coordinator.store.rollouts import Rollouts
from coordinator.walk.ports import News
from coordinator.walk.states import RolloutState
from tests.notify.rollout import NOW
from tests.notify.server import SENDER, USER
from tests.walk.plans import make_plan


class _Dying(Outbox):
    """Dies when the mail server has taken a mail, before that is written."""

    def sent(self, number: int) -> None:
        os._exit(9)


def main(when: str, folder: Path, port: int) -> None:
    """Tell of a rollout's end and die: once that is "told", or once a mail is "sent"."""
    database = open_database(f"sqlite:///{folder}/office.sqlite")
    outbox = _Dying(database, ("it@office.example",), lambda: NOW)
    rollouts = Rollouts(database, lambda: NOW, outbox.post)
    if when == "told":
        rollouts.tell(make_plan(3).id, News(RolloutState.DONE))
        os._exit(9)
    security, password = Security.STARTTLS, folder / "mail.password"
    settings = MailSettings(
        "127.0.0.1", port, security, SENDER, USER, password, ca_file=folder / "mail-ca.pem"
    )

    Postman(settings, outbox, rollouts, lambda plan: plan.app, Patience()).round()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
