"""Speaks to the coordinator as one operator; the command line and the demo use nothing else.

Every call raises `Complaint` with what to do when the coordinator cannot be reached, is not
ours, or says no.
"""

from pathlib import Path
from urllib.parse import quote, urlencode

from agent.wire.https import MOST_JSON
from agent.wire.manifest import MOST_BYTES
from coordinator.api import asks
from coordinator.api import backup_schemas as b
from coordinator.api import finding_schemas as f
from coordinator.api import key_schemas as k
from coordinator.api import licence_schemas as li
from coordinator.api import mail_schemas as m
from coordinator.api import plan_schemas as p
from coordinator.api import record_schemas as r
from coordinator.api import schemas as s
from coordinator.api import staging_schemas as st
from coordinator.api import tidy_schemas as t
from coordinator.api import withdraw_schemas as w
from coordinator.api.asks import PREFIX
from coordinator.api.line import Line, opened, path_of, read, read_list


class Client(Line):
    """Everything that may be asked, one call each; close it at the end."""

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
        said = self._said(path_of("operators", name, "mail"), asks.MailAsk(mail=mail))
        return read_list(s.OperatorView, said)

    def revoke_operator(self, name: str) -> list[s.OperatorView]:
        """End somebody's token; return who is left."""
        said = self._said(path_of("operators", name, "revoke"), asks.NoAsk())
        return read_list(s.OperatorView, said)

    def mails(self) -> list[m.MailView]:
        """Return the last mails, those not sent first."""
        return self._list(m.MailView, "/mail")

    def test_mail(self, ask: asks.MailTestAsk) -> list[m.MailTestView]:
        """Have a test sent at once; return what became of it."""
        return read_list(m.MailTestView, self._said("/mail/test", ask))

    def hosts(self, group: str = "", *, revoked: bool = False) -> list[s.HostView]:
        """Return the hosts."""
        options = {"group": group} | ({"revoked": "1"} if revoked else {})
        return self._list(s.HostView, "/hosts", **options)

    def host(self, key: str) -> s.HostView:
        """Return one host, by id or name."""
        return self._get(s.HostView, path_of("hosts", key))

    def token(self, ask: asks.TokenAsk) -> s.TokenView:
        """Make an enrolment token."""
        return self._post(s.TokenView, "/tokens", ask)

    def approve(self, key: str) -> s.HostView:
        """Let a host in that waits."""
        return self._post(s.HostView, path_of("hosts", key, "approve"), asks.NoAsk())

    def hold(self, key: str, reason: str) -> s.HostView:
        """Keep a host out of visits."""
        return self._post(s.HostView, path_of("hosts", key, "hold"), asks.ReasonAsk(reason=reason))

    def release(self, key: str) -> s.HostView:
        """End a hold."""
        return self._post(s.HostView, path_of("hosts", key, "release"), asks.NoAsk())

    def revoke(self, key: str, reason: str) -> s.HostView:
        """Put a host out of the fleet."""
        return self._post(
            s.HostView, path_of("hosts", key, "revoke"), asks.ReasonAsk(reason=reason)
        )

    def import_fleet(self, ask: asks.ImportAsk) -> s.ImportView:
        """Give enrolled hosts their places."""
        return self._post(s.ImportView, "/fleet/import", ask)

    def packages(self, app: str = "", version: str = "") -> list[s.PackageView]:
        """Return the packages, newest first."""
        return self._list(s.PackageView, "/packages", app=app, version=version)

    def add_package(self, ask: asks.PackageAsk, file: Path) -> s.PackageView:
        """Send a package."""
        query = urlencode(ask.model_dump(mode="json", exclude_defaults=True))
        with self._sorted(), opened(file) as content:
            size = file.stat().st_size
            said = self._https.send_file(f"{PREFIX}/packages?{query}", content, size)
        return read(s.PackageView, said)

    def withdraw(self, app: str, version: str, ask: asks.WithdrawAsk) -> w.WithdrawnView:
        """Take a release off offer, or put it back."""
        return self._post(w.WithdrawnView, path_of("packages", app, version, "withdraw"), ask)

    def stage(self, ask: asks.StageAsk) -> st.StagingView:
        """Begin to send a release to hosts."""
        return self._post(st.StagingView, "/stagings", ask)

    def stagings(self) -> list[st.StagingView]:
        """Return the last stagings, newest first."""
        return self._list(st.StagingView, "/stagings")

    def staging(self, key: str) -> st.StagingView:
        """Return one staging."""
        return self._get(st.StagingView, path_of("stagings", key))

    def stop_staging(self, key: str) -> st.StagingView:
        """End a staging."""
        return self._post(st.StagingView, path_of("stagings", key, "stop"), asks.NoAsk())

    def offers(self, app: str = "", *, everything: bool = False) -> list[f.FoundView]:
        """Return what vendors offer that is newer, or everything."""
        options = {"app": app} | ({"all": "1"} if everything else {})
        return self._list(f.FoundView, "/offers", **options)

    def notes(self, app: str, version: str) -> f.NotesView:
        """Return the vendor's notes of a release."""
        return self._get(f.NotesView, path_of("offers", app, version, "notes"))

    def fetch(self, ask: asks.FetchAsk) -> f.DownloadView:
        """Have the coordinator fetch a release."""
        return self._post(f.DownloadView, "/downloads", ask)

    def download(self, download: str) -> f.DownloadView:
        """Return how far a download has come."""
        return self._get(f.DownloadView, path_of("downloads", download))

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
        path = path_of("targets", *name.split("/")) + f"?sha256={quote(sha256)}"
        with self._sorted():
            return self._https.get_bytes(PREFIX + path, max(MOST_BYTES, MOST_JSON))

    def publish(self, signed: str) -> s.PublishedView:
        """Hand in the list, signed."""
        return self._post(s.PublishedView, "/signed", asks.PublishAsk(signed=signed))

    def tidy(self, ask: asks.TidyAsk) -> t.TidyView:
        """Have what nobody needs any more deleted, or be told what that would be."""
        return self._post(t.TidyView, "/tidy", ask)

    def keys(self) -> k.KeysView:
        """Return the keys of the fleet, and the change of keys that waits."""
        return self._get(k.KeysView, "/keys")

    def next_online_key(self) -> k.OnlineKeyView:
        """Have the coordinator make its online key to come."""
        return self._post(k.OnlineKeyView, "/keys/online", asks.NoAsk())

    def propose_change(self, ask: k.ChangeAsk) -> s.ProgressView:
        """Hand in a change of keys, in place of one that waits."""
        return self._post(s.ProgressView, "/keys/change", ask)

    def sign_change(self, ask: k.ChangeAsk) -> s.ProgressView:
        """Hand in further signatures of the change that waits."""
        return self._post(s.ProgressView, "/keys/signed", ask)

    def drop_change(self) -> k.KeysView:
        """Have the change that waits forgotten."""
        return self._post(k.KeysView, "/keys/drop", asks.NoAsk())

    def record(self, host: str, ask: asks.RecordAsk) -> r.RecordView:
        """Return what runs on a host, with a draft of its profile where it is clear of what."""
        return self._post(r.RecordView, path_of("hosts", host, "record"), ask)

    def doctor(self, ask: asks.DoctorAsk) -> list[s.CheckView]:
        """Return what is found on each host."""
        return read_list(s.CheckView, self._said("/doctor", ask))

    def backups(self, host: str, ask: asks.BackupAsk) -> list[b.BackupView]:
        """Return the backups of a host."""
        return read_list(b.BackupView, self._said(path_of("hosts", host, "backups"), ask))

    def verify_backup(self, host: str, ask: asks.BackupAsk) -> b.ErrandView:
        """Begin to verify a backup."""
        return self._post(b.ErrandView, path_of("hosts", host, "backups", "verify"), ask)

    def rehearse_restore(self, host: str, ask: asks.BackupAsk) -> b.ErrandView:
        """Begin to rehearse a restore."""
        return self._post(b.ErrandView, path_of("hosts", host, "backups", "rehearse"), ask)

    def restore_backup(self, host: str, ask: asks.RestoreAsk) -> b.ErrandView:
        """Begin to restore a backup."""
        return self._post(b.ErrandView, path_of("hosts", host, "backups", "restore"), ask)

    def errand(self, errand: str) -> b.ErrandView:
        """Return how far an errand has come."""
        return self._get(b.ErrandView, path_of("errands", errand))

    def make_plan(self, ask: asks.PlanAsk) -> p.PlanView:
        """Make a plan; nothing moves."""
        return self._post(p.PlanView, "/plans", ask)

    def add_licence(self, ask: asks.LicenceAsk) -> li.LicenceView:
        """Send an entitlement, to be judged by from now on."""
        return self._post(li.LicenceView, "/licences", ask)

    def licences(self) -> list[li.LicenceView]:
        """Return what vendors have granted."""
        return self._list(li.LicenceView, "/licences")

    def plan(self, key: str) -> p.PlanView:
        """Return a plan."""
        return self._get(p.PlanView, path_of("plans", key))

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
        return self._get(s.RolloutView, path_of("rollouts", key))

    def why(self, key: str) -> s.WhyView:
        """Return who holds the walk."""
        return self._get(s.WhyView, path_of("rollouts", key, "why"))

    def news(self, key: str, since: int = 0) -> list[s.NewsView]:
        """Return a rollout's history after a number."""
        return self._list(s.NewsView, path_of("rollouts", key, "news"), since=since)

    def codes(self, key: str) -> list[s.CodeView]:
        """Return the one-time codes of the sealed hosts."""
        return self._list(s.CodeView, path_of("rollouts", key, "codes"))

    def report(self, key: str, *, page: bool = False) -> s.ReportView:
        """Return a rollout's report, with its page when asked for."""
        options = {"page": "1"} if page else {}
        return self._get(s.ReportView, path_of("rollouts", key, "report"), **options)

    def say(self, key: str, ask: asks.CommandAsk) -> s.RolloutView:
        """Say something to a rollout under way."""
        return self._post(s.RolloutView, path_of("rollouts", key, "say"), ask)

    def take_over(self, key: str) -> s.RolloutView:
        """End the turn of the person at the workstation that is being updated."""
        return self._post(s.RolloutView, path_of("rollouts", key, "take-over"), asks.NoAsk())
