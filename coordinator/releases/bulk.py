"""The HTTPS from which agents fetch: signed metadata, targets, contents of packages.

Metadata and targets are signed, and no secret within the office. A package's content needs a
ticket, which came over the agent's link; so do its blobs and patches, of that package alone.
Everything but `timestamp.json` and the lists of parts is named by version or hash and never
changes, so a mirror may serve it as it is.
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

_SMALL = 64 * 1024  # bytes: such a file is not worth the threads of a larger one
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
        return _let_in(bulk, request, sha256) or _file(request, bulk.packages.path(sha256))

    def parts(request: Request) -> Response:
        sha256 = request.path_params["sha256"]
        return _let_in(bulk, request, sha256) or _file(request, bulk.packages.blobs.parts(sha256))

    def blob(request: Request) -> Response:
        package, sha256 = _package(request), request.path_params["sha256"]
        refused = _let_in(bulk, request, package)
        return refused or _file(request, bulk.packages.blobs.blob(package, sha256))

    def patch(request: Request) -> Response:
        package, names = _package(request), request.path_params
        refused = _let_in(bulk, request, package)
        return refused or _file(request, bulk.packages.blobs.patch(package, **names))

    return [
        Route(places.METADATA + "{name}", metadata),
        Route(places.TARGETS + "{name:path}", target),
        Route(places.PACKAGES + "{sha256}", package),
        Route(places.PARTS + "{sha256}", parts),
        Route(places.BLOBS + "{sha256}", blob),
        Route(places.PATCHES + places.patch_name("{base}", "{new}"), patch),
    ]


def _package(request: Request) -> str:
    """Return which package a blob or patch is wanted for."""
    return request.headers.get(places.PACKAGE_HEADER, "")


def _let_in(bulk: Bulk, request: Request, package: str) -> Response | None:
    """Return why this host may have nothing of this package, None when it may."""
    host = request.headers.get(places.HOST_HEADER, "")
    try:
        bulk.tickets.check(request.headers.get(places.TICKET_HEADER, ""), host, package)
    except BadTicket as error:
        return _refusal(403, "bad-ticket", f"cannot give this package: {error}")
    if not bulk.is_member(host):
        return _refusal(403, "revoked", f"cannot give this package: {host} was revoked")
    return None


def _file(request: Request, path: Path | None) -> Response:
    if path is None:
        return _refusal(404, "package-absent", "the coordinator has no such package, or part")
    if "range" not in request.headers and path.stat().st_size <= _SMALL:
        return Response(path.read_bytes(), media_type="application/octet-stream")
    return _Bulky(path, media_type="application/octet-stream", stat_result=path.stat())


class _Bulky(FileResponse):
    """A file in larger pieces: each is read in a thread, and going there and back costs."""

    chunk_size = 512 * 1024


def _whole(folder: Path, name: str, form: re.Pattern[str]) -> Response:
    try:
        if form.fullmatch(name):
            return Response((folder / name).read_bytes(), media_type="application/json")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        pass
    return _refusal(404, "absent", "the coordinator has no such file")


def _refusal(status: int, word: str, detail: str) -> JSONResponse:
    return JSONResponse(encode(Refused(word, detail)), status)
