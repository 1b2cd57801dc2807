"""The operators' side of the coordinator's HTTPS: who asks, may he, what was sent, who answers.

Every refusal is answered as `{"error", "mend"}`. Whatever changes something, or shows a secret,
leaves a line in the audit trail, refused or not.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coordinator.access import token_hash
from coordinator.api.asks import PREFIX, Ask
from coordinator.api.body import read_ask, read_query, received
from coordinator.api.call import Call, Problem, Status
from coordinator.api.office import Office
from coordinator.api.roles import OperatorRole
from coordinator.api.routes import ROUTES, Body, Row
from coordinator.store.rows import OperatorRow

_log = logging.getLogger(__name__)
_BEARER = "bearer "
_SECRETS = frozenset({"rollout codes"})
"""Rows that change nothing and are audited all the same."""

Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(office: Office, routes: Sequence[Route]) -> Starlette:
    """Return the whole of the coordinator's HTTPS: the operators' side, and `routes` beside it."""
    handlers: dict[Any, Any] = {HTTPException: _not_found, Exception: _defect}
    return Starlette(routes=[*api_routes(office), *routes], exception_handlers=handlers)


def _not_found(request: Request, error: HTTPException) -> Response:
    said = f"nothing can be asked at {request.method} {request.url.path}"
    mend = "check the name that was given, and that both ends are of the same release"
    return _refusal(error.status_code, said, mend)


def _defect(_request: Request, error: Exception) -> Response:
    said = f"the coordinator met a defect of its own: {type(error).__name__}"
    return _refusal(500, said, "see the log of the coordinator")


def api_routes(office: Office) -> list[Route]:
    """Return the routes, to be mounted at the root of the coordinator's HTTPS."""
    return [
        Route(PREFIX + row.path, _endpoint(row, office), methods=[row.method]) for row in ROUTES
    ]


def _endpoint(row: Row, office: Office) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            who = await run_in_threadpool(_authorise, row, office, request)
            return await _answer(row, office, request, who)
        except Problem as problem:
            return _refusal(problem.status, problem.error, problem.mend)

    return endpoint


def _authorise(row: Row, office: Office, request: Request) -> OperatorRow:
    """Return who asks. The same work is done for every token, and for none."""
    given = request.headers.get("Authorization", "")
    token = given[len(_BEARER) :] if given.lower().startswith(_BEARER) else ""
    who = office.people.operator_by_token(token_hash(token))
    if who is None:
        _log.warning("token refused", extra={"address": _address(request), "what": row.name})
        raise Problem(
            Status.WHO_ARE_YOU,
            "the coordinator does not know this token: it was revoked, replaced or never given",
            "ask an admin for: roundsman operator add NAME",
        )
    if not OperatorRole(who.role).includes(row.role):
        office.people.note(who.name, row.name, f"not allowed: {who.role}")
        raise Problem(
            Status.NOT_ALLOWED,
            f"{who.name} is {who.role} and cannot {row.name}: that takes the role {row.role}",
            f"ask an admin for: roundsman operator add {who.name} --role {row.role}",
        )
    return who


async def _answer(row: Row, office: Office, request: Request, who: OperatorRow) -> Response:
    if row.body is Body.FILE:
        ask = read_query(request, row.ask)
        async with received(request, office.uploads) as file:
            call = Call(who, request.path_params, {}, ask, file)
            return await run_in_threadpool(_do, row, office, call)
    ask = await read_ask(request, row.ask)
    call = Call(who, request.path_params, request.query_params, ask)
    return await run_in_threadpool(_do, row, office, call)


def _do(row: Row, office: Office, call: Call[Ask]) -> Response:
    try:
        said = row.handler(office, call)
    except Problem as problem:
        _note(row, office, call, f"refused: {problem.error}")
        raise
    _note(row, office, call, "")
    return _json(said)


def _note(row: Row, office: Office, call: Call[Ask], outcome: str) -> None:
    if row.method == "GET" and row.name not in _SECRETS:
        return
    named = " ".join(call.names.values())
    office.people.note(
        call.who.name, row.name, " ".join(filter(None, (named, call.ask.in_words(), outcome)))
    )


def _refusal(status: int, error: str, mend: str) -> Response:
    return JSONResponse({"error": error, "mend": mend}, status)


def _json(said: Any) -> Response:
    if isinstance(said, bytes):
        return Response(said, media_type="application/octet-stream")
    plain = [m.model_dump(mode="json") for m in said] if isinstance(said, list) else _plain(said)
    return JSONResponse(plain)


def _plain(said: BaseModel) -> Any:
    return said.model_dump(mode="json")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
