"""Speaks to the coordinator as one operator; the command line and the demo use nothing else.

Every call raises `Complaint` with what to do when the coordinator cannot be reached, is not
ours, or says no.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from agent.wire.https import MOST_JSON, Https
from agent.wire.https_errors import HttpsError, Refused, Unreachable, WrongServer
from agent.wire.manifest import MOST_BYTES
from coordinator.access import Access
from coordinator.api import asks
from coordinator.api import backup_schemas as b
from coordinator.api import mail_schemas as m
from coordinator.api import plan_schemas as p
from coordinator.api import record_schemas as r
from coordinator.api import schemas as s
from coordinator.api import staging_schemas as st
from coordinator.api.asks import PREFIX
from coordinator.complaint import Complaint

_SECONDS = 120.0  # a doctor asks every host before it answers
V = TypeVar("V", bound=s.Answer)


class Silent(Complaint):
    """The coordinator does not answer; it may have heard, or not."""


class Client:
    """One operator's line to the coordinator; close it at the end."""

    def __init__(self, access: Access, seconds: float = _SECONDS) -> None:
        self.address = access.address
        headers = {"Authorization": f"Bearer {access.token}"}
        try:
            self._https = Https(access.address, access.ca, headers, seconds=seconds)
        except (OSError, ValueError) as error:
            raise Complaint(
                f"cannot use {access.ca} or the address {access.address}: {error}",
                "compare them with the coordinator's; roundsman init or login writes them",
            ) from None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the line."""
        self._https.close()

    def health(self) -> s.HealthView:
        """Return how the coordinator is."""
        return self._get(s.HealthView, "/health")

    def audit(self, most: int) -> list[s.AuditView]:
        """Return the last lines of the audit trail, newest first."""
        return self._list(s.AuditView, "/audit", most=most)

    def operators(self) -> list[s.OperatorView]:
        """Return everybody who may speak to the coordinator."""
        return self._list(s.OperatorView, "/operators")

    def add_operator(self, ask: asks.OperatorAsk) -> s.OperatorView:
        """Let somebody in; the answer carries the token, this once."""
        return self._post(s.OperatorView, "/operators", ask)

    def set_mail(self, name: str, mail: str) -> list[s.OperatorView]:
        """Write where an operator is told; return everybody."""
        said = self._said(_path("operators", name, "mail"), asks.MailAsk(mail=mail))
        return _read_list(s.OperatorView, said)

    def revoke_operator(self, name: str) -> list[s.OperatorView]:
        """End somebody's token; return who is left."""
        said = self._said(_path("operators", name, "revoke"), asks.NoAsk())
        return _read_list(s.OperatorView, said)

    def mails(self) -> list[m.MailView]:
        """Return the last mails, those not sent first."""
        return self._list(m.MailView, "/mail")

    def test_mail(self, ask: asks.MailTestAsk) -> list[m.MailTestView]:
        """Have a test sent at once; return what became of it."""
        return _read_list(m.MailTestView, self._said("/mail/test", ask))

    def hosts(self, group: str = "", *, revoked: bool = False) -> list[s.HostView]:
        """Return the hosts."""
        options = {"group": group} | ({"revoked": "1"} if revoked else {})
        return self._list(s.HostView, "/hosts", **options)

    def host(self, key: str) -> s.HostView:
        """Return one host, by id or name."""
        return self._get(s.HostView, _path("hosts", key))

    def token(self, ask: asks.TokenAsk) -> s.TokenView:
        """Make an enrolment token."""
        return self._post(s.TokenView, "/tokens", ask)

    def approve(self, key: str) -> s.HostView:
        """Let a host in that waits."""
        return self._post(s.HostView, _path("hosts", key, "approve"), asks.NoAsk())

    def hold(self, key: str, reason: str) -> s.HostView:
        """Keep a host out of visits."""
        return self._post(s.HostView, _path("hosts", key, "hold"), asks.ReasonAsk(reason=reason))

    def release(self, key: str) -> s.HostView:
        """End a hold."""
        return self._post(s.HostView, _path("hosts", key, "release"), asks.NoAsk())

    def revoke(self, key: str, reason: str) -> s.HostView:
        """Put a host out of the fleet."""
        return self._post(s.HostView, _path("hosts", key, "revoke"), asks.ReasonAsk(reason=reason))

    def import_fleet(self, ask: asks.ImportAsk) -> s.ImportView:
        """Give enrolled hosts their places."""
        return self._post(s.ImportView, "/fleet/import", ask)

    def packages(self, app: str = "", version: str = "") -> list[s.PackageView]:
        """Return the packages, newest first."""
        return self._list(s.PackageView, "/packages", app=app, version=version)

    def add_package(self, ask: asks.PackageAsk, file: Path) -> s.PackageView:
        """Send a package."""
        query = urlencode(ask.model_dump(mode="json", exclude_defaults=True))
        with self._sorted(), _opened(file) as content:
            size = file.stat().st_size
            said = self._https.send_file(f"{PREFIX}/packages?{query}", content, size)
        return _read(s.PackageView, said)

    def stage(self, ask: asks.StageAsk) -> st.StagingView:
        """Begin to send a release to hosts."""
        return self._post(st.StagingView, "/stagings", ask)

    def stagings(self) -> list[st.StagingView]:
        """Return the last stagings, newest first."""
        return self._list(st.StagingView, "/stagings")

    def staging(self, key: str) -> st.StagingView:
        """Return one staging."""
        return self._get(st.StagingView, _path("stagings", key))

    def stop_staging(self, key: str) -> st.StagingView:
        """End a staging."""
        return self._post(st.StagingView, _path("stagings", key, "stop"), asks.NoAsk())

    def profiles(self) -> list[s.ProfileView]:
        """Return the profiles."""
        return self._list(s.ProfileView, "/profiles")

    def add_profile(self, ask: asks.ProfileAsk) -> s.ProfileView:
        """Send a profile."""
        return self._post(s.ProfileView, "/profiles", ask)

    def unsigned(self) -> s.UnsignedView:
        """Return the list that is to be signed."""
        return self._get(s.UnsignedView, "/unsigned")

    def content(self, name: str, sha256: str) -> bytes:
        """Return what a target holds."""
        path = _path("targets", *name.split("/")) + f"?sha256={quote(sha256)}"
        with self._sorted():
            return self._https.get_bytes(PREFIX + path, max(MOST_BYTES, MOST_JSON))

    def publish(self, signed: str) -> s.PublishedView:
        """Hand in the list, signed."""
        return self._post(s.PublishedView, "/signed", asks.PublishAsk(signed=signed))

    def record(self, host: str, ask: asks.RecordAsk) -> r.RecordView:
        """Return what runs on a host, with a draft of its profile where it is clear of what."""
        return self._post(r.RecordView, _path("hosts", host, "record"), ask)

    def doctor(self, ask: asks.DoctorAsk) -> list[s.CheckView]:
        """Return what is found on each host."""
        return _read_list(s.CheckView, self._said("/doctor", ask))

    def backups(self, host: str, ask: asks.BackupAsk) -> list[b.BackupView]:
        """Return the backups of a host."""
        return _read_list(b.BackupView, self._said(_path("hosts", host, "backups"), ask))

    def verify_backup(self, host: str, ask: asks.BackupAsk) -> b.ErrandView:
        """Begin to verify a backup."""
        return self._post(b.ErrandView, _path("hosts", host, "backups", "verify"), ask)

    def rehearse_restore(self, host: str, ask: asks.BackupAsk) -> b.ErrandView:
        """Begin to rehearse a restore."""
        return self._post(b.ErrandView, _path("hosts", host, "backups", "rehearse"), ask)

    def restore_backup(self, host: str, ask: asks.RestoreAsk) -> b.ErrandView:
        """Begin to restore a backup."""
        return self._post(b.ErrandView, _path("hosts", host, "backups", "restore"), ask)

    def errand(self, errand: str) -> b.ErrandView:
        """Return how far an errand has come."""
        return self._get(b.ErrandView, _path("errands", errand))

    def make_plan(self, ask: asks.PlanAsk) -> p.PlanView:
        """Make a plan; nothing moves."""
        return self._post(p.PlanView, "/plans", ask)

    def plan(self, key: str) -> p.PlanView:
        """Return a plan."""
        return self._get(p.PlanView, _path("plans", key))

    def start(self, plan: str) -> s.RolloutView:
        """Start a plan."""
        return self._post(s.RolloutView, "/rollouts", asks.StartAsk(plan=plan))

    def drill(self, ask: asks.DrillAsk) -> s.RolloutView:
        """Start a drill: nothing is applied."""
        return self._post(s.RolloutView, "/drills", ask)

    def rollouts(self, *, active: bool = False) -> list[s.RolloutView]:
        """Return the rollouts, newest first."""
        options = {"active": "1"} if active else {}
        return self._list(s.RolloutView, "/rollouts", **options)

    def rollout(self, key: str) -> s.RolloutView:
        """Return one rollout with its visits."""
        return self._get(s.RolloutView, _path("rollouts", key))

    def why(self, key: str) -> s.WhyView:
        """Return who holds the walk."""
        return self._get(s.WhyView, _path("rollouts", key, "why"))

    def news(self, key: str, since: int = 0) -> list[s.NewsView]:
        """Return a rollout's history after a number."""
        return self._list(s.NewsView, _path("rollouts", key, "news"), since=since)

    def codes(self, key: str) -> list[s.CodeView]:
        """Return the one-time codes of the sealed hosts."""
        return self._list(s.CodeView, _path("rollouts", key, "codes"))

    def report(self, key: str, *, page: bool = False) -> s.ReportView:
        """Return a rollout's report, with its page when asked for."""
        options = {"page": "1"} if page else {}
        return self._get(s.ReportView, _path("rollouts", key, "report"), **options)

    def say(self, key: str, ask: asks.CommandAsk) -> s.RolloutView:
        """Say something to a rollout under way."""
        return self._post(s.RolloutView, _path("rollouts", key, "say"), ask)

    def take_over(self, key: str) -> s.RolloutView:
        """End the turn of the person at the workstation that is being updated."""
        return self._post(s.RolloutView, _path("rollouts", key, "take-over"), asks.NoAsk())

    def _get(self, kind: type[V], path: str, **options: object) -> V:
        return _read(kind, self._said(path, None, **options))

    def _list(self, kind: type[V], path: str, **options: object) -> list[V]:
        return _read_list(kind, self._said(path, None, **options))

    def _post(self, kind: type[V], path: str, ask: asks.Ask) -> V:
        return _read(kind, self._said(path, ask))

    def _said(self, path: str, ask: asks.Ask | None, **options: object) -> Any:
        given = {key: value for key, value in options.items() if value != ""}
        whole = PREFIX + path + (f"?{urlencode(given)}" if given else "")
        with self._sorted():
            if ask is None:
                return self._https.get_json(whole)
            return self._https.post_json(whole, ask.model_dump(mode="json"))

    @contextlib.contextmanager
    def _sorted(self) -> Iterator[None]:
        """Turn what goes wrong inside into `Complaint`."""
        try:
            yield
        except Refused as error:
            raise Complaint(str(error), error.mend) from None
        except Unreachable as error:
            raise Silent(str(error), "on the coordinator: roundsman serve") from None
        except WrongServer as error:
            raise Complaint(str(error), "do nothing until a person has looked") from None
        except HttpsError as error:
            raise Complaint(str(error), "check that both ends are of the same release") from None


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        content = file.open("rb")
    except OSError as error:
        raise Complaint(f"cannot read {file}: {error.strerror}") from None
    with content:
        yield content


def _path(*parts: str) -> str:
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _read(kind: type[V], said: Any) -> V:
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        raise Complaint(
            f"cannot understand the coordinator's answer: {error.error_count()} values are not "
            f"as expected in {kind.__name__}",
            "check that both ends are of the same release",
        ) from None


def _read_list(kind: type[V], said: Any) -> list[V]:
    if not isinstance(said, list):
        return [_read(kind, said)]
    return [_read(kind, item) for item in said]
