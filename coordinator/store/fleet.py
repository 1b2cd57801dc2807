"""Hosts, operators, audit, packages: the rest of what is remembered."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine, RowMapping, Select, delete, insert, select, update

from coordinator.model import Host, HostStanding
from coordinator.store.database import reader, upsert
from coordinator.store.members import NoteStanding, note_nowhere
from coordinator.store.rows import AuditRow, OperatorRow, PackageRow, Withdrawal
from coordinator.store.tables import audit, host, operator, package

_IN_ORDER = select(host).order_by(host.c.site, host.c.grp, host.c.ord, host.c.name)


class Fleet:
    """Which hosts there are; `note` hears of each change of where one stands."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float] = time.time,
        note: NoteStanding = note_nowhere,
    ) -> None:
        self._engine = engine
        self._reads = reader(engine)
        self._clock = clock
        self._note = note

    def hosts(self, group: str = "", site: str = "") -> list[Host]:
        """Return the hosts, by site, group, order and name; revoked ones too."""
        query = _IN_ORDER
        if group:
            query = query.where(host.c.grp == group)
        if site:
            query = query.where(host.c.site == site)
        return self._read(query)

    def host(self, key: str) -> Host | None:
        """Return a host by id, or by name (the one that is not revoked first)."""
        found = self._read(
            _IN_ORDER.where((host.c.id == key) | host.c.name.in_([key, key.upper()]))
        )
        found.sort(key=lambda h: h.standing is HostStanding.REVOKED)
        return found[0] if found else None

    def _read(self, query: Select[Any]) -> list[Host]:
        with self._reads.connect() as c:
            return [_host(row) for row in c.execute(query).mappings()]

    def put_host(self, item: Host, serial: str = "") -> None:
        """Add a host, or change everything about it but its id."""
        values: dict[str, Any] = {
            "name": item.name, "site": item.site, "grp": item.group, "role": item.role,
            "ord": item.order, "standing": item.standing.value, "reason": item.reason,
        }  # fmt: skip
        if serial:
            values["serial"] = serial
        with self._engine.begin() as c:
            changed = c.execute(update(host).where(host.c.id == item.id).values(values))
            if not changed.rowcount:
                new = {"id": item.id, "enrolled_at": self._clock()}
                c.execute(insert(host).values(new | values))
            self._note(item.id, item.standing)

    def set_standing(self, host_id: str, standing: HostStanding, reason: str = "") -> None:
        """Hold, release or revoke a host."""
        values = {"standing": standing.value, "reason": reason}
        with self._engine.begin() as c:
            c.execute(update(host).where(host.c.id == host_id).values(values))
            self._note(host_id, standing)

    def refused(self) -> set[str]:
        """Return the ids whose certificates are no longer honored."""
        query = select(host.c.id).where(host.c.standing == HostStanding.REVOKED.value)
        with self._reads.connect() as c:
            return set(c.scalars(query))


class People:
    """Operators, and what they did."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._reads = reader(engine)
        self._clock = clock

    def put_operator(self, name: str, role: str, token_hash: str, mail: str = "") -> None:
        """Add an operator, or give one a new token; an address that is known stays."""
        values = {"role": role, "token_hash": token_hash, "made_at": self._clock()}
        values |= {"mail": mail} if mail else {}
        with self._engine.begin() as c:
            upsert(c, operator, {"name": name}, values)

    def set_mail(self, name: str, mail: str) -> bool:
        """Write where an operator is told, "" = nowhere; False when there is no such operator."""
        change = update(operator).where(operator.c.name == name).values(mail=mail)
        with self._engine.begin() as c:
            return c.execute(change).rowcount > 0

    def operator_by_token(self, token_hash: str) -> OperatorRow | None:
        """Return whose token it is."""
        query = select(operator).where(operator.c.token_hash == token_hash)
        with self._reads.connect() as c:
            row = c.execute(query).mappings().first()
        return None if row is None else OperatorRow(row["name"], row["role"], row["mail"])

    def operators(self) -> list[OperatorRow]:
        """Return everybody who may speak to the coordinator, by name."""
        with self._reads.connect() as c:
            rows = c.execute(select(operator).order_by(operator.c.name)).mappings()
            return [OperatorRow(row["name"], row["role"], row["mail"]) for row in rows]

    def drop_operator(self, name: str) -> bool:
        """Take an operator's token away; False when there is no such operator."""
        with self._engine.begin() as c:
            return c.execute(delete(operator).where(operator.c.name == name)).rowcount > 0

    def note(self, who: str, what: str, detail: str = "") -> None:
        """Write one line of the audit trail."""
        values = {"at": self._clock(), "who": who, "what": what, "detail": detail[:2000]}
        with self._engine.begin() as c:
            c.execute(insert(audit).values(values))

    def trail(self, most: int = 200) -> list[AuditRow]:
        """Return the last lines of the audit trail, newest first."""
        query = select(audit).order_by(audit.c.number.desc()).limit(most)
        with self._reads.connect() as c:
            return [AuditRow(**row) for row in c.execute(query).mappings()]


class Catalogue:
    """The packages that were added, and whether each is signed yet."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._reads = reader(engine)
        self._clock = clock

    def put_package(self, row: PackageRow) -> None:
        """Add a package, or replace the one of the same target name."""
        values: dict[str, Any] = {
            "sha256": row.sha256, "app": row.app, "version": row.version, "role": row.role,
            "system": row.system, "size": row.size, "added_by": row.added_by, "at": row.at,
            "state": "signed" if row.signed else "unsigned", "notes": row.notes,
        }  # fmt: skip
        values |= _withdrawn(row.withdrawn)
        with self._engine.begin() as c:
            upsert(c, package, {"target": row.target}, values)

    def packages(self, app: str = "", version: str = "") -> list[PackageRow]:
        """Return the packages, newest first."""
        query = select(package).order_by(package.c.at.desc())
        if app:
            query = query.where(package.c.app == app)
        if version:
            query = query.where(package.c.version == version)
        with self._reads.connect() as c:
            return [_package(row) for row in c.execute(query).mappings()]

    def mark_withdrawn(self, app: str, version: str, how: Withdrawal | None) -> None:
        """Write that a release is off offer, None = no more."""
        which = (package.c.app == app) & (package.c.version == version)
        with self._engine.begin() as c:
            c.execute(update(package).where(which).values(_withdrawn(how)))

    def mark_signed(self, targets: Sequence[str]) -> None:
        """Write that these targets are in the signed metadata."""
        with self._engine.begin() as c:
            c.execute(update(package).where(package.c.target.in_(targets)).values(state="signed"))


def _host(row: RowMapping) -> Host:
    return Host(
        row["id"], row["name"], row["site"], row["grp"], row["role"], row["ord"],
        HostStanding(row["standing"]), row["reason"],
    )  # fmt: skip


def _withdrawn(how: Withdrawal | None) -> dict[str, Any]:
    at, by, why = (how.at, how.by, how.why) if how else (None, "", "")
    return {"withdrawn_at": at, "withdrawn_by": by, "withdrawn_why": why}


def _package(row: RowMapping) -> PackageRow:
    at = row["withdrawn_at"]
    how = None if at is None else Withdrawal(at, row["withdrawn_by"], row["withdrawn_why"])
    return PackageRow(
        row["target"], row["sha256"], row["app"], row["version"], row["role"], row["system"],
        row["size"], row["state"] == "signed", row["added_by"], row["at"], row["notes"],
        how,
    )  # fmt: skip
