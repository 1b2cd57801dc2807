"""The HTTPS at which a host that is no member yet knocks: the CA, enrolment, renewal.

None of it asks for a client certificate: enrolment judges by token and proof, renewal by a
signature with the key of the present certificate. A refusal is answered as `{"word", "detail"}`.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.wire import places
from agent.wire.codec import BadMessage, decode, encode
from agent.wire.enrolment import CollectAsk, EnrolAnswer, EnrolAsk, Refused, RenewAsk
from coordinator.fleet.ca import KeyPair
from coordinator.fleet.enrolment import Enrolment, EnrolmentRefused, Reason

_MOST_BODY = 64 * 1024
_BODY_SECONDS = 10.0
_STATUS = {
    Reason.BAD_REQUEST: 400,
    Reason.UNKNOWN_REQUEST: 404,
    Reason.NAME_TAKEN: 409,
    Reason.TOO_MANY_TRIES: 429,
}
"""HTTP status of a refusal; 403 when it is not named here."""

A = TypeVar("A")
Endpoint = Callable[[Request], Awaitable[Response]]


def server_context(pair: KeyPair) -> ssl.SSLContext:
    """Return the context to serve HTTPS with: TLS 1.3, no client certificate asked for.

    After a renewal, `load_cert_chain` on this very context gives new connections the new one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def enrolment_routes(ca_pem: bytes, enrolment: Enrolment) -> list[Route]:
    """Return the routes, to be mounted at the root of the coordinator's HTTPS."""

    def ca(_request: Request) -> Response:
        return Response(ca_pem, media_type="application/x-pem-file")

    def renew(ask: RenewAsk, _address: str) -> EnrolAnswer:
        return enrolment.renew(ask)

    return [
        Route(places.CA, ca),
        Route(places.ENROL, _endpoint(EnrolAsk, enrolment.enrol), methods=["POST"]),
        Route(places.COLLECT, _endpoint(CollectAsk, enrolment.collect), methods=["POST"]),
        Route(places.RENEW, _endpoint(RenewAsk, renew), methods=["POST"]),
    ]


def _endpoint(kind: type[A], answer: Callable[[A, str], EnrolAnswer]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        address = request.client.host if request.client else ""
        try:
            ask = decode(kind, await _read_body(request))
            said = await run_in_threadpool(answer, ask, address)
        except BadMessage as error:
            return _refusal(400, Reason.BAD_REQUEST, str(error))
        except EnrolmentRefused as error:
            return _refusal(_STATUS.get(error.reason, 403), error.reason, str(error))
        return JSONResponse(encode(said))

    return endpoint


async def _read_body(request: Request) -> object:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            body = await _bounded_body(request)
    except (TimeoutError, ClientDisconnect):
        raise BadMessage("the request did not come to its end") from None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadMessage("the request is not JSON") from None


async def _bounded_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BODY:
            raise BadMessage(f"the request is longer than {_MOST_BODY} bytes")
    return bytes(body)


def _refusal(status: int, word: str, detail: str) -> JSONResponse:
    return JSONResponse(encode(Refused(word, detail)), status)
