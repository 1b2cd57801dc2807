"""What may be asked of the coordinator, as one table: a row that is missing cannot be asked."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from coordinator.api import (
    backups,
    doctor,
    drills,
    fetching,
    finding,
    fleet,
    keys,
    licences,
    mail,
    plans,
    records,
    releases,
    rest,
    rollouts,
    stagings,
    tidying,
    turns,
    withdrawing,
)
from coordinator.api.asks import (
    Ask,
    BackupAsk,
    CommandAsk,
    DoctorAsk,
    DrillAsk,
    FetchAsk,
    ImportAsk,
    LicenceAsk,
    MailAsk,
    MailTestAsk,
    NoAsk,
    OperatorAsk,
    PackageAsk,
    PlanAsk,
    ProfileAsk,
    PublishAsk,
    ReasonAsk,
    RecordAsk,
    RestoreAsk,
    StageAsk,
    StartAsk,
    TidyAsk,
    TokenAsk,
    WithdrawAsk,
)
from coordinator.api.key_schemas import ChangeAsk
from coordinator.api.roles import OperatorRole

_V, _O, _A = OperatorRole.VIEWER, OperatorRole.OPERATOR, OperatorRole.ADMIN


class Body(Enum):
    """What comes with a request."""

    JSON = "json"
    FILE = "file"  # what it is, is in the query


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that may be asked, by whom, and who answers it."""

    method: str
    path: str
    role: OperatorRole
    name: str  # in the audit trail
    handler: Callable[..., Any]
    ask: type[Ask] = NoAsk
    body: Body = Body.JSON


# fmt: off
ROUTES: tuple[Row, ...] = (
    Row("GET", "/health", _V, "health", rest.health),
    Row("GET", "/audit", _A, "audit", rest.audit),
    Row("GET", "/operators", _A, "operator list", rest.operators),
    Row("POST", "/operators", _A, "operator add", rest.add_operator, OperatorAsk),
    Row("POST", "/operators/{name}/mail", _A, "operator mail", rest.set_mail, MailAsk),
    Row("POST", "/operators/{name}/revoke", _A, "operator revoke", rest.revoke_operator),

    Row("GET", "/mail", _O, "mail list", mail.mails),
    Row("POST", "/mail/test", _O, "mail test", mail.try_out, MailTestAsk),

    Row("GET", "/hosts", _V, "fleet list", fleet.hosts),
    Row("GET", "/hosts/{host}", _V, "fleet show", fleet.host),
    Row("POST", "/hosts/{host}/approve", _A, "fleet approve", fleet.approve),
    Row("POST", "/hosts/{host}/hold", _O, "fleet hold", fleet.hold, ReasonAsk),
    Row("POST", "/hosts/{host}/release", _O, "fleet release", fleet.let_go),
    Row("POST", "/hosts/{host}/revoke", _A, "fleet revoke", fleet.revoke, ReasonAsk),
    Row("POST", "/tokens", _A, "fleet token", fleet.make_token, TokenAsk),

    Row("POST", "/fleet/import", _A, "fleet import", fleet.import_fleet, ImportAsk),

    Row("GET", "/packages", _V, "release list", releases.packages),
    Row("POST", "/packages", _O, "release add", releases.add_package, PackageAsk, Body.FILE),
    Row("POST", "/packages/{app}/{version}/withdraw", _O, "release withdraw",
        withdrawing.withdraw, WithdrawAsk),
    Row("GET", "/offers", _O, "release find", finding.find),
    Row("GET", "/offers/{app}/{version}/notes", _V, "release notes", finding.notes),
    Row("POST", "/downloads", _O, "release add", fetching.begin, FetchAsk),
    Row("GET", "/downloads/{download}", _O, "release watch", fetching.download),
    Row("GET", "/profiles", _V, "profile list", releases.profiles),
    Row("POST", "/profiles", _O, "profile add", releases.add_profile, ProfileAsk),
    Row("GET", "/unsigned", _V, "release unsigned", releases.unsigned),
    Row("GET", "/targets/{name:path}", _V, "release content", releases.content),
    Row("POST", "/signed", _O, "release sign", releases.publish, PublishAsk),

    Row("POST", "/stagings", _O, "release stage", stagings.stage, StageAsk),
    Row("GET", "/stagings", _V, "release staged", stagings.stagings),
    Row("GET", "/stagings/{staging}", _V, "release staged", stagings.staging),
    Row("POST", "/stagings/{staging}/stop", _O, "release stage stop", stagings.stop),

    Row("POST", "/tidy", _A, "tidy", tidying.tidy, TidyAsk),

    Row("GET", "/keys", _V, "keys list", keys.keys),
    Row("POST", "/keys/online", _A, "keys rotate", keys.online),
    Row("POST", "/keys/change", _A, "keys change", keys.propose, ChangeAsk),
    Row("POST", "/keys/signed", _O, "keys sign", keys.sign, ChangeAsk),
    Row("POST", "/keys/drop", _A, "keys drop", keys.drop),

    Row("GET", "/licences", _V, "licence list", licences.listed),
    Row("POST", "/licences", _A, "licence add", licences.add, LicenceAsk),

    Row("POST", "/doctor", _O, "doctor", doctor.doctor, DoctorAsk),

    Row("POST", "/hosts/{host}/record", _O, "profile record", records.record, RecordAsk),

    Row("POST", "/hosts/{host}/backups", _O, "backup list", backups.list_backups, BackupAsk),
    Row("POST", "/hosts/{host}/backups/verify", _O, "backup verify", backups.verify, BackupAsk),
    Row("POST", "/hosts/{host}/backups/rehearse", _O, "backup rehearse", backups.rehearse,
        BackupAsk),
    Row("POST", "/hosts/{host}/backups/restore", _O, "backup restore", backups.restore,
        RestoreAsk),
    Row("GET", "/errands/{errand}", _O, "backup watch", backups.errand),

    Row("POST", "/plans", _O, "plan", plans.make, PlanAsk),
    Row("GET", "/plans/{plan}", _V, "plan show", plans.show),

    Row("POST", "/drills", _O, "drill", drills.start, DrillAsk),

    Row("GET", "/rollouts", _V, "rollout list", rollouts.rollouts),
    Row("POST", "/rollouts", _O, "rollout start", rollouts.start, StartAsk),
    Row("GET", "/rollouts/{rollout}", _V, "rollout status", rollouts.rollout),
    Row("GET", "/rollouts/{rollout}/why", _V, "rollout why", rollouts.why),
    Row("GET", "/rollouts/{rollout}/news", _V, "rollout news", rollouts.news),
    Row("GET", "/rollouts/{rollout}/report", _V, "rollout report", rollouts.report),
    Row("GET", "/rollouts/{rollout}/codes", _O, "rollout codes", rollouts.codes),
    Row("POST", "/rollouts/{rollout}/take-over", _O, "rollout take-over", turns.take_over),
    Row("POST", "/rollouts/{rollout}/say", _O, "rollout say", rollouts.say, CommandAsk),
)
"""Every row is refused without a token, and with the token of a lower role."""
# fmt: on
