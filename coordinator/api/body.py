"""Reads what was sent: bounded in length and in time, JSON or a file."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from coordinator.api.asks import Ask, first_fault
from coordinator.api.call import Problem, Status
from coordinator.releases.fetch import forget_old

MOST_JSON = 5 * 2**20
MOST_UPLOAD = 64 * 2**30
_JSON_SECONDS = 20.0
_SILENCE_SECONDS = 30.0  # between two pieces of an upload
_SPARE = 2**28  # stays free whatever is uploaded
_COPIES = 4  # what is sent, what is kept, that unpacked to be judged, and each of its files


async def read_ask(request: Request, kind: type[Ask]) -> Ask:
    """Return what was sent as JSON; an empty body is an empty object. Raises `Problem`."""
    try:
        async with asyncio.timeout(_JSON_SECONDS):
            raw = await _bounded(request)
    except (TimeoutError, ClientDisconnect):
        raise Problem(Status.BAD_REQUEST, "the request did not come to its end") from None
    try:
        return kind.model_validate_json(raw or b"{}")
    except ValidationError as error:
        raise in_words(error) from None


def read_query(request: Request, kind: type[Ask]) -> Ask:
    """Return what the query says. Raises `Problem`."""
    try:
        return kind.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise in_words(error) from None


@asynccontextmanager
async def received(request: Request, folder: Path) -> AsyncIterator[Path]:
    """Yield the file that was sent; it is deleted in the end. Raises `Problem`."""
    length = _length(request)
    forget_old(folder)
    _check_space(folder, length)
    path = folder / f"{secrets.token_hex(8)}.part"
    try:
        await _write(request, path, length)
        yield path
    finally:
        path.unlink(missing_ok=True)


def in_words(error: ValidationError) -> Problem:
    """Return the first thing wrong with what was sent, the field named."""
    if error.errors(include_url=False)[0]["type"] == "json_invalid":
        return Problem(Status.BAD_REQUEST, "the request is not JSON")
    return Problem(Status.INVALID, first_fault(error))


async def _bounded(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_JSON:
            raise Problem(Status.TOO_LONG, f"the request is longer than {MOST_JSON} bytes")
    return bytes(body)


def _length(request: Request) -> int:
    given = request.headers.get("Content-Length", "")
    if not given.isdecimal() or not 0 < int(given[:18]) <= MOST_UPLOAD:
        raise Problem(Status.TOO_LONG, f"a file has 1 to {MOST_UPLOAD} bytes, said beforehand")
    return int(given)


def _check_space(folder: Path, length: int) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(folder).free
    if free < length * _COPIES + _SPARE:
        raise Problem(
            Status.NO_SPACE,
            f"cannot take {length} bytes: the coordinator's disk has {free} bytes left",
            f"free some on the disk of {folder}",
        )


async def _write(request: Request, path: Path, length: int) -> None:
    pieces, done = request.stream(), 0
    with path.open("xb") as file:
        while piece := await _next(pieces):
            done += len(piece)
            if done > length:
                break
            await run_in_threadpool(file.write, piece)
    if done != length:
        raise Problem(Status.BAD_REQUEST, f"{done} bytes came of {length}: send it again")


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    try:
        async with asyncio.timeout(_SILENCE_SECONDS):
            return await anext(pieces, b"")
    except (TimeoutError, ClientDisconnect):
        raise Problem(Status.BAD_REQUEST, "the file did not come to its end") from None
