"""The HTTPS from which agents fetch: signed metadata, targets, contents of packages.

Metadata and targets are signed, and no secret within the office. A package's content needs a
ticket, which came over the agent's link. Everything but `timestamp.json` is named by version
or hash and never changes, so a mirror may serve it as it is.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from agent.wire import places
from agent.wire.codec import encode
from agent.wire.enrolment import Refused
from coordinator.releases.packages import PackageStore
from coordinator.releases.tickets import BadTicket, Tickets

_METADATA = re.compile(r"timestamp\.json|[1-9][0-9]{0,8}\.(root|targets|snapshot)\.json")
_TARGET = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*/)*[0-9a-f]{64}\.[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Bulk:
    """What is served, and who may have it."""

    repository: Path  # its folders `metadata` and `targets`
    packages: PackageStore
    tickets: Tickets
    is_member: Callable[[str], bool]  # False once a host is revoked


def bulk_routes(bulk: Bulk) -> list[Route]:
    """Return the routes, to be mounted at the root of the coordinator's HTTPS."""

    def metadata(request: Request) -> Response:
        return _whole(bulk.repository / "metadata", request.path_params["name"], _METADATA)

    def target(request: Request) -> Response:
        return _whole(bulk.repository / "targets", request.path_params["name"], _TARGET)

    def package(request: Request) -> Response:
        sha256 = request.path_params["sha256"]
        host = request.headers.get(places.HOST_HEADER, "")
        try:
            bulk.tickets.check(request.headers.get(places.TICKET_HEADER, ""), host, sha256)
        except BadTicket as error:
            return _refusal(403, "bad-ticket", f"cannot give this package: {error}")
        if not bulk.is_member(host):
            return _refusal(403, "revoked", f"cannot give this package: {host} was revoked")
        path = bulk.packages.path(sha256)
        if path is None:
            return _refusal(404, "package-absent", "the coordinator has no such package")
        return FileResponse(path, media_type="application/zip", stat_result=path.stat())

    return [
        Route(places.METADATA + "{name}", metadata),
        Route(places.TARGETS + "{name:path}", target),
        Route(places.PACKAGES + "{sha256}", package),
    ]


def _whole(folder: Path, name: str, form: re.Pattern[str]) -> Response:
    try:
        if form.fullmatch(name):
            return Response((folder / name).read_bytes(), media_type="application/json")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        pass
    return _refusal(404, "absent", "the coordinator has no such file")


def _refusal(status: int, word: str, detail: str) -> JSONResponse:
    return JSONResponse(encode(Refused(word, detail)), status)
