"""What the API does with what it cannot use: a status, a sentence, nothing changed."""

import json
import socket
import ssl
from pathlib import Path

import pytest

from agent.wire.https import Https
from agent.wire.https_errors import Refused
from coordinator.access import Access
from coordinator.api.asks import PREFIX
from coordinator.api.body import MOST_JSON
from coordinator.api.client import Client
from coordinator.complaint import Complaint
from coordinator.fleet.ca import Authority
from tests.api.real import RealOffice


def _refused(office: RealOffice, path: str, body: bytes | object) -> Refused:
    access = office.access()
    headers = {"Authorization": f"Bearer {access.token}"}
    with Https(access.address, access.ca, headers, seconds=20) as https:
        with pytest.raises(Refused) as caught:
            https.post_json(PREFIX + path, body)
        return caught.value


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/tokens", {}, 422, "group: field required"),
        ("/tokens", {"group": "office", "uses": 0}, 422, "uses: "),
        ("/tokens", {"group": "office", "role": "x" * 101}, 422, "role: "),
        ("/tokens", {"group": "office", "colour": "blue"}, 422, "colour: extra inputs"),
        ("/tokens", [1, 2], 422, "the request: "),
        ("/plans", {"app": "../x", "version": "1"}, 422, "app: must be small letters, digits"),
        ("/plans", {"app": "x", "version": "1 1"}, 422, "version: must be letters, digits and"),
        ("/plans", {"app": "x", "version": "1", "window": "noon"}, 422, "as 12:00-14:00"),
        ("/plans", {"app": "x", "version": "1", "within_seconds": -1}, 422, "within_seconds: "),
        ("/rollouts/r1/say", {"verb": "explode"}, 422, "verb: "),
        ("/hosts/x/hold", {"reason": "x" * 301}, 422, "reason: "),
        ("/signed", {"signed": "not TUF"}, 409, "no signed list"),
        ("/nonsense", {}, 404, "nothing can be asked at POST"),
        ("/health", {}, 405, "nothing can be asked at POST"),
    ],
)
def test_a_bad_request_is_refused_with_the_field_named(
    shared: RealOffice, path: str, body: object, status: int, said: str
) -> None:
    refused = _refused(shared, path, body)
    assert refused.status == status
    assert said in str(refused)


def test_a_long_request_is_refused(shared: RealOffice) -> None:
    assert _refused(shared, "/profiles", {"text": "x" * MOST_JSON}).status == 413


def test_what_is_no_json_is_refused(shared: RealOffice) -> None:
    answer = _raw(shared, b"POST", b"/tokens", b"{")
    assert b"400" in answer.splitlines()[0]
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"] == "the request is not JSON"


def test_a_file_without_its_length_is_refused(shared: RealOffice) -> None:
    path = b"/packages?app=x&version=1"
    answer = _raw(shared, b"POST", path, b"0\r\n\r\n", b"Transfer-Encoding: chunked")
    assert b"413" in answer.splitlines()[0]


def _raw(office: RealOffice, method: bytes, path: bytes, body: bytes, head: bytes = b"") -> bytes:
    """Return the answer to a request written by hand."""
    access = office.access()
    host, port = access.address.split(":")
    context = ssl.create_default_context(cafile=str(access.ca))
    context.check_hostname = False
    head = head or b"Content-Length: " + str(len(body)).encode()
    lines = [
        method + b" " + PREFIX.encode() + path + b" HTTP/1.1",
        b"Host: x",
        b"Connection: close",
        b"Authorization: Bearer " + access.token.encode(),
        head,
        b"",
        body,
    ]
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        context.wrap_socket(plain) as line,
    ):
        line.sendall(b"\r\n".join(lines))
        answer = b""
        while piece := line.recv(65536):
            answer += piece
        return answer


@pytest.mark.parametrize("query", ["since=-1", "since=x", "since=99999999999999999999"])
def test_a_number_that_is_none_is_refused(office: RealOffice, query: str) -> None:
    access = office.access()
    headers = {"Authorization": f"Bearer {access.token}"}
    office.add_hosts()
    with (
        Https(access.address, access.ca, headers, seconds=20) as https,
        pytest.raises(Refused, match="most: must be a number"),
    ):
        https.get_json(f"{PREFIX}/audit?{query.replace('since', 'most')}")


def test_a_coordinator_of_another_ca_is_not_spoken_to(office: RealOffice, tmp_path: Path) -> None:
    other = Authority.open(tmp_path / "other")
    (tmp_path / "other-ca.pem").write_bytes(other.certificate_pem)
    access = Access(office.address, tmp_path / "other-ca.pem", office.access().token)
    with Client(access, 20) as client, pytest.raises(Complaint, match="cannot trust") as caught:
        client.health()
    assert "a person has looked" in caught.value.mend


def test_a_coordinator_that_is_off_is_said_so(office: RealOffice) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    access = Access(f"127.0.0.1:{port}", office.access().ca, "x")
    with Client(access, 20) as client, pytest.raises(Complaint, match="cannot reach") as caught:
        client.health()
    assert "roundsman serve" in caught.value.mend


def test_an_access_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Complaint, match="cannot use"):
        Client(Access("127.0.0.1:1", tmp_path / "absent.pem", "x"))
    with pytest.raises(Complaint, match="written host:port"):
        Client(Access("nowhere", tmp_path / "absent.pem", "x"))
