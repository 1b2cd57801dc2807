"""The enrolment book: tokens, requests and who was let in, each call one transaction."""

import json
import time
from collections.abc import Callable

from sqlalchemy import Connection, Engine, func, insert, select, update

from agent.wire.codec import decode, encode
from coordinator.fleet.enrolment_book import (
    Admission,
    EnrolRequest,
    RequestState,
    TokenRecord,
)
from coordinator.model import HostStanding
from coordinator.store.database import reader
from coordinator.store.members import NoteStanding, note_nowhere
from coordinator.store.tables import enrol_request, enrol_token, host


class Book:
    """`coordinator.fleet.enrolment_book.EnrolmentBook`, in the database.

    `note` hears of each host that is let in.
    """

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

    def add_token(self, token: TokenRecord) -> None:
        """Write a new token down."""
        values = {
            "hash": token.hash, "data": json.dumps(encode(token)),
            "uses_left": token.uses_left, "expires": token.expires,
        }  # fmt: skip
        with self._engine.begin() as c:
            c.execute(insert(enrol_token).values(values))

    def token(self, secret_hash: str) -> TokenRecord | None:
        """Return the token whose secret has this hash."""
        query = select(enrol_token).where(enrol_token.c.hash == secret_hash)
        with self._reads.connect() as c:
            row = c.execute(query).mappings().first()
        if row is None:
            return None
        return decode(TokenRecord, json.loads(row["data"]) | {"uses_left": row["uses_left"]})

    def admit(self, request: EnrolRequest, secret_hash: str) -> Admission:
        """Take one use of the token and write the request down: both, or neither."""
        with self._engine.begin() as c:
            token = enrol_token.c.hash == secret_hash
            if not c.scalar(select(enrol_token.c.uses_left).where(token)):
                return Admission.USED_UP
            if _is_taken(c, request.name):
                return Admission.NAME_TAKEN
            c.execute(
                update(enrol_token).where(token).values(uses_left=enrol_token.c.uses_left - 1)
            )
            c.execute(insert(enrol_request).values({"id": request.host_id} | _values(request)))
        return Admission.ADMITTED

    def request(self, host_id: str) -> EnrolRequest | None:
        """Return the request of this id, whatever its state."""
        return self._one(host_id, "")

    def request_by_proof(self, proof_hash: str) -> EnrolRequest | None:
        """Return the request whose proof has this hash."""
        return self._one("", proof_hash)

    def waiting(self) -> list[EnrolRequest]:
        """Return the requests that wait for an operator, oldest first."""
        query = select(enrol_request.c.data).where(
            enrol_request.c.state == RequestState.WAITING.value
        )
        with self._reads.connect() as c:
            rows = c.scalars(query.order_by(enrol_request.c.at))
            return [decode(EnrolRequest, json.loads(data)) for data in rows]

    def settle(self, request: EnrolRequest) -> bool:
        """Write down that a waiting request is granted or refused."""
        waiting = (enrol_request.c.id == request.host_id) & (
            enrol_request.c.state == RequestState.WAITING.value
        )
        with self._engine.begin() as c:
            changed = c.execute(update(enrol_request).where(waiting).values(_values(request)))
            if changed.rowcount and request.state is RequestState.GRANTED:
                c.execute(insert(host).values(self._host(request)))
                self._note(request.host_id, HostStanding.ENROLLED)
            return bool(changed.rowcount)

    def renewed(self, host_id: str, serial: str) -> None:
        """Write down the serial of the certificate an enrolled host now has."""
        with self._engine.begin() as c:
            c.execute(update(host).where(host.c.id == host_id).values(serial=serial))

    def standing(self, host_id: str) -> HostStanding | None:
        """Return where the host stands; None for one that is not in the fleet."""
        with self._reads.connect() as c:
            found = c.scalar(select(host.c.standing).where(host.c.id == host_id))
        return None if found is None else HostStanding(found)

    def _one(self, host_id: str, proof: str) -> EnrolRequest | None:
        where = enrol_request.c.id == host_id if host_id else enrol_request.c.proof == proof
        with self._reads.connect() as c:
            data = c.scalar(select(enrol_request.c.data).where(where))
        return None if data is None else decode(EnrolRequest, json.loads(data))

    def _host(self, request: EnrolRequest) -> dict[str, object]:
        return {
            "id": request.host_id, "name": request.name, "site": request.place.site,
            "grp": request.place.group, "role": request.place.role, "ord": 0,
            "standing": HostStanding.ENROLLED.value, "serial": request.serial,
            "enrolled_at": self._clock(),
        }  # fmt: skip


def _values(request: EnrolRequest) -> dict[str, object]:
    return {
        "name": request.name, "state": request.state.value, "at": request.asked_at,
        "proof": request.proof_hash, "data": json.dumps(encode(request)),
    }  # fmt: skip


def _is_taken(c: Connection, name: str) -> bool:
    wanted = name.lower()
    asked = select(enrol_request.c.id).where(
        func.lower(enrol_request.c.name) == wanted,
        enrol_request.c.state == RequestState.WAITING.value,
    )
    enrolled = select(host.c.id).where(
        func.lower(host.c.name) == wanted, host.c.standing != HostStanding.REVOKED.value
    )
    return c.scalar(asked) is not None or c.scalar(enrolled) is not None
