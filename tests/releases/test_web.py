"""What a vendor's server may do to us: nothing but give what was asked for, in time."""

import gzip
import socket
import ssl
import threading
import warnings
from pathlib import Path

import pytest

from agent.wire.limit import Patience
from coordinator.releases.source import Away, NotGiven, SourceError
from coordinator.releases.web import WebSource
from tests.releases.vendor import NAME, Vendor, dribbles, leads_to, says, trusting

MOST = 1000
SHORT = Patience(whole=0.6)
SLOW = Patience(whole=20.0, slow=0.6)


def _source(vendor: Vendor, path: str = "/feed.json") -> WebSource:
    return WebSource(vendor.address + path, SHORT, SLOW)


def _patient(vendor: Vendor, path: str = "/feed.json") -> WebSource:
    return WebSource(vendor.address + path)


def _refused(source: WebSource, kind: type[SourceError], why: str) -> SourceError:
    with pytest.raises(kind, match=why) as caught:
        source.read("", MOST)
    assert caught.value.error.isprintable()
    assert caught.value.mend
    return caught.value


def test_what_is_there_is_read_and_addresses_are_relative_to_it(vendor: Vendor) -> None:
    vendor.give("/a/feed.json", b"{}")
    vendor.give("/a/notes.md", b"# Notes")
    vendor.give("/b.zip", b"zip")
    source = _patient(vendor, "/a/feed.json")
    assert source.read("", MOST) == b"{}"
    assert source.read("notes.md", MOST) == b"# Notes"
    assert source.read("../b.zip", MOST) == b"zip"
    assert source.read(f"{vendor.address}/b.zip", MOST) == b"zip"


def test_a_download_goes_on_at_any_byte(vendor: Vendor) -> None:
    vendor.give("/p.zip", bytes(range(100)))
    with _patient(vendor).opened("p.zip", 40) as body:
        assert (body.start, body.total) == (40, 100)
        assert b"".join(body.chunks) == bytes(range(40, 100))
    assert vendor.asked == [("/p.zip", "bytes=40-")]


def test_what_is_huge_is_read_no_further_than_asked(vendor: Vendor) -> None:
    vendor.answers["/feed.json"] = says(b"HTTP/1.1 200 OK\r\n\r\n" + b"1" * 5_000_000)
    assert len(_patient(vendor).read("", MOST)) == MOST + 1


def test_what_never_ends_is_read_no_further_than_asked(vendor: Vendor) -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    vendor.answers["/feed.json"] = dribbles(vendor, head, b"x" * 65536, 0)
    assert len(_patient(vendor).read("", MOST)) == MOST + 1


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n",
    ],
    ids=["status", "header", "body", "endless", "chunk"],
)
def test_a_byte_now_and_then_does_not_keep_us_waiting(vendor: Vendor, head: bytes) -> None:
    vendor.answers["/feed.json"] = dribbles(vendor, head)
    _refused(_source(vendor), Away, "it takes too long")


def test_a_package_that_comes_too_slowly_is_left_for_later(vendor: Vendor) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    vendor.answers["/p.zip"] = dribbles(vendor, head)
    source = _source(vendor)
    with pytest.raises(Away, match="it takes too long"), source.opened("p.zip", 0) as body:
        list(body.chunks)


def test_a_package_that_takes_long_but_comes_is_taken(vendor: Vendor) -> None:
    def answer(handler: object) -> None:
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 655360\r\n\r\n")(handler)  # type: ignore[arg-type]
        for _ in range(10):
            vendor.gone.wait(0.1)
            says(b"x" * 65536)(handler)  # type: ignore[arg-type]

    vendor.answers["/p.zip"] = answer
    with _source(vendor).opened("p.zip", 0) as body:
        assert len(b"".join(body.chunks)) == 655360


def test_a_line_that_is_cut_is_told_from_an_end(vendor: Vendor) -> None:
    vendor.answers["/p.zip"] = says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    with pytest.raises(Away, match="cannot fetch"), _patient(vendor).opened("p.zip", 0) as body:
        list(body.chunks)


def test_a_redirection_to_https_is_followed(vendor: Vendor) -> None:
    vendor.give("/there.json", b"{}")
    vendor.answers["/half"] = leads_to("/there.json")
    vendor.answers["/feed.json"] = leads_to(f"{vendor.address}/half")
    assert _patient(vendor).read("", MOST) == b"{}"


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1/feed.json",
        "file:///etc/passwd",
        "https://ann:secret@127.0.0.1/",
        "https://[",
        "https://127.0.0.1:99999/",
        "https://127.0.0.1:0/",
        "ftp://127.0.0.1/x",
    ],
)
def test_a_redirection_to_anything_else_is_not_followed(vendor: Vendor, place: str) -> None:
    vendor.answers["/feed.json"] = leads_to(place)
    said = _refused(_patient(vendor), NotGiven, "nothing is fetched but from https")
    assert place in said.error


def test_a_redirection_that_says_nowhere_is_said_so(vendor: Vendor) -> None:
    vendor.answers["/feed.json"] = says(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")
    _refused(_patient(vendor), NotGiven, "it leads to nowhere")


def test_redirections_in_a_circle_end(vendor: Vendor) -> None:
    vendor.answers["/feed.json"] = leads_to("/other.json")
    vendor.answers["/other.json"] = leads_to("/feed.json")
    _refused(_patient(vendor), NotGiven, "leads on more than 5 times")
    assert len(vendor.asked) == 6


def test_a_redirection_to_a_server_nobody_vouches_for_is_not_followed(vendor: Vendor) -> None:
    with Vendor().open() as stranger:
        stranger.give("/feed.json", b"{}")
        vendor.answers["/feed.json"] = leads_to(f"{stranger.address}/feed.json")
        _refused(_patient(vendor), NotGiven, "cannot trust the server")
        assert stranger.asked == []


@pytest.mark.parametrize(
    ("status", "kind", "why"),
    [
        ("404 Not Found", NotGiven, "answers 404 Not Found"),
        ("403 Forbidden", NotGiven, "answers 403 Forbidden"),
        ("500 \x1b[2Jowned", Away, "answers 500 Internal Server Error"),
        ("503 x", Away, "answers 503 Service Unavailable"),
        ("429 x", Away, "answers 429 Too Many Requests"),
        ("299 x", NotGiven, "answers 299$"),
        ("204 No Content", NotGiven, "answers 204 No Content"),
    ],
)
def test_a_server_that_says_no_is_quoted_in_our_own_words(
    vendor: Vendor, status: str, kind: type[SourceError], why: str
) -> None:
    vendor.answers["/feed.json"] = says(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
    _refused(_patient(vendor), kind, why)


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate, gzip", "x\x1b[2J"])
def test_what_comes_compressed_is_not_unpacked(vendor: Vendor, encoding: str) -> None:
    bomb = gzip.compress(b"0" * 5_000_000)
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(bomb)}\r\n\r\n"
    )
    vendor.answers["/feed.json"] = says(head.encode() + bomb)
    _refused(_patient(vendor), NotGiven, "it comes compressed")


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\xff" * 5000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"",
    ],
    ids=["ssh", "garbage", "headers", "header", "chunk", "nothing"],
)
def test_what_is_no_answer_is_said_so(vendor: Vendor, raw: bytes) -> None:
    vendor.answers["/feed.json"] = says(raw)
    _refused(_patient(vendor), Away, "cannot fetch")


@pytest.mark.parametrize("given", ["x", "1-2", "99999999999999999999999x"])
def test_a_length_that_is_none_is_said_so(vendor: Vendor, given: str) -> None:
    head = f"HTTP/1.1 206 Partial Content\r\nContent-Range: {given}\r\nContent-Length: 1\r\n\r\nx"
    vendor.answers["/feed.json"] = says(head.encode())
    _refused(_patient(vendor), NotGiven, "does not say how long")


def test_a_certificate_of_another_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = Vendor()
    monkeypatch.setenv("SSL_CERT_FILE", trusting(vendor, tmp_path))
    with vendor.open("vendor.example"):
        _refused(_patient(vendor), NotGiven, "cannot trust the server")
    assert vendor.asked == []


def test_a_certificate_nobody_vouches_for_is_refused() -> None:
    with Vendor().open() as vendor:
        said = _refused(_patient(vendor), NotGiven, "cannot trust the server")
    assert "date of this machine" in said.mend
    assert vendor.asked == []


def test_tls_1_1_is_not_spoken(vendor: Vendor) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    vendor.authority.issue_cert(NAME).configure_cert(old)
    with socket.create_server((NAME, 0)) as listener:
        thread = threading.Thread(target=_shake_hands, args=(listener, old))
        thread.start()
        _refused(WebSource(f"https://{NAME}:{listener.getsockname()[1]}/"), Away, "cannot fetch")
        thread.join()


def _shake_hands(listener: socket.socket, context: ssl.SSLContext) -> None:
    peer, _ = listener.accept()
    with peer:
        try:
            context.wrap_socket(peer, server_side=True).close()
        except OSError:
            return


def test_a_server_that_never_shakes_hands_is_not_waited_for() -> None:
    with socket.create_server((NAME, 0)) as listener:
        source = WebSource(f"https://{NAME}:{listener.getsockname()[1]}/", SHORT)
        _refused(source, Away, "it takes too long")


def test_nobody_there_is_said_so() -> None:
    with socket.create_server((NAME, 0)) as nobody:
        port = nobody.getsockname()[1]
    _refused(WebSource(f"https://{NAME}:{port}/"), Away, "Connection refused")


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/",
        "https://",
        "https://vendor.example\x1b[2J/",
        "https://vendor example/",
        "https://vendör.example/",
        "https://a:b@vendor.example/",
        "https://vendor.example:x/",
        "https://" + "x" * 5000,
        "feed.json",
    ],
)
def test_an_address_that_is_none_is_refused_unasked(address: str) -> None:
    _refused(WebSource(address), NotGiven, "must be an https address")
