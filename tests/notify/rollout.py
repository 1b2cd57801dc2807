"""A rollout in a real database, whose news is mailed."""

from dataclasses import replace
from pathlib import Path

from coordinator.access import token_hash
from coordinator.mail_settings import MailSettings
from coordinator.model import Plan
from coordinator.notify.line import Patience
from coordinator.notify.postman import Postman
from coordinator.store.database import open_database
from coordinator.store.fleet import People
from coordinator.store.outbox import MailRow, Outbox
from coordinator.store.rollouts import Rollouts
from coordinator.walk.ports import Command, News, Verb
from coordinator.walk.states import HostState, RolloutState
from tests.walk.plans import make_plan

ANN = "ann@office.example"
MARIE = "marie@office.example"
NOW = 1_700_000_000.0
IT = "it@office.example"
LOST = News(
    RolloutState.NEEDS_OPERATOR,
    "PC-03 waits: PC-02 has not answered for 31 s",
    "roundsman rollout retry {rollout} --host PC-02",
)


class Mailed:
    """One office: ann has started r1; marie is to be told how it ends; IT of everything."""

    def __init__(
        self, folder: Path, standing: tuple[str, ...] = (IT,), ann: str = ANN, **plan: object
    ) -> None:
        self.ahead = 0.0
        self.database = open_database(f"sqlite:///{folder}/office.sqlite")
        self.outbox = Outbox(self.database, standing, self.clock)
        self.rollouts = Rollouts(self.database, self.clock, self.outbox.post)
        self.plan: Plan = replace(make_plan(3), **{"mail": (MARIE,)} | plan)  # type: ignore[arg-type]
        People(self.database).put_operator("ann", "operator", token_hash("x"), ann)

    def clock(self) -> float:
        return NOW + self.ahead

    def start(self) -> "Mailed":
        self.rollouts.begin(self.plan, "ann", lambda _connection: None)
        return self

    def tell(self, *news: News) -> None:
        for item in news:
            self.rollouts.tell(self.plan.id, item)

    def update(self, *hosts: str) -> None:
        """Have these hosts updated."""
        for host in hosts:
            self.tell(News(RolloutState.WALKING, host=host, state=HostState.UPDATED))

    def say(self, verb: Verb = Verb.RETRY) -> None:
        self.rollouts.say(self.plan.id, Command(1, verb, by="ann"))

    def mails(self) -> list[MailRow]:
        return self.outbox.latest()[::-1]

    def told(self) -> list[tuple[str, str]]:
        """Return what is written to whom, oldest first."""
        return [(mail.kind.value, mail.recipient) for mail in self.mails()]

    def postman(self, settings: MailSettings, patience: Patience | None = None) -> Postman:
        limits = patience or Patience(5.0, 10.0)
        return Postman(settings, self.outbox, self.rollouts, lambda _plan: "Office Maker", limits)

    def close(self) -> None:
        self.database.dispose()
