"""An `EnrolmentBook` in memory."""

import threading
from dataclasses import replace

from coordinator.fleet.enrolment_book import (
    Admission,
    EnrolRequest,
    RequestState,
    TokenRecord,
)
from coordinator.model import HostStanding


class MemoryBook:
    def __init__(self) -> None:
        self._tokens: dict[str, TokenRecord] = {}
        self._requests: dict[str, EnrolRequest] = {}
        self._standing: dict[str, HostStanding] = {}
        self.serials: dict[str, str] = {}
        self._lock = threading.Lock()

    def add_token(self, token: TokenRecord) -> None:
        self._tokens[token.hash] = token

    def token(self, secret_hash: str) -> TokenRecord | None:
        return self._tokens.get(secret_hash)

    def admit(self, request: EnrolRequest, secret_hash: str) -> Admission:
        with self._lock:
            token = self._tokens.get(secret_hash)
            if any(self._holds(one, request.name) for one in self._requests.values()):
                return Admission.NAME_TAKEN
            if token is None or token.uses_left < 1:
                return Admission.USED_UP
            self._tokens[secret_hash] = replace(token, uses_left=token.uses_left - 1)
            self._requests[request.host_id] = request
            return Admission.ADMITTED

    def request(self, host_id: str) -> EnrolRequest | None:
        return self._requests.get(host_id)

    def request_by_proof(self, proof_hash: str) -> EnrolRequest | None:
        found = (one for one in self._requests.values() if one.proof_hash == proof_hash)
        return next(found, None)

    def settle(self, request: EnrolRequest) -> bool:
        with self._lock:
            if self._requests[request.host_id].state is not RequestState.WAITING:
                return False
            self._requests[request.host_id] = request
            if request.state is RequestState.GRANTED:
                self._standing[request.host_id] = HostStanding.ENROLLED
                self.serials[request.host_id] = request.serial
            return True

    def renewed(self, host_id: str, serial: str) -> None:
        self.serials[host_id] = serial

    def standing(self, host_id: str) -> HostStanding | None:
        return self._standing.get(host_id)

    def revoke(self, host_id: str) -> None:
        self._standing[host_id] = HostStanding.REVOKED

    def requests(self) -> list[EnrolRequest]:
        return list(self._requests.values())

    def _holds(self, request: EnrolRequest, name: str) -> bool:
        if request.name.casefold() != name.casefold():
            return False
        if request.state is RequestState.REFUSED:
            return False
        return self._standing.get(request.host_id) is not HostStanding.REVOKED
