"""The rival of a fetch: nginx that serves one file over TLS 1.3, curl and sha256sum."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from coordinator.cli.demo_processes import free_ports, wait_for
from coordinator.fleet.ca import KeyPair

_CONFIG = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes auto;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    server {{
        listen {address} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.3;
        root {root};
    }}
}}
"""


def nginx_config(folder: Path, address: str, pair: tuple[Path, Path], root: Path) -> str:
    """Return the configuration of an nginx that serves a folder; its own things are in another."""
    certificate, key = pair
    return _CONFIG.format(
        folder=folder, address=address, certificate=certificate, key=key, root=root
    )


_FETCH = 'curl --silent --fail --insecure --tlsv1.3 --output "$2" "$1" && sha256sum "$2"'


class Nginx:
    """One nginx, on a free port of loopback, until the end of the block."""

    def __init__(self, folder: Path, pair: KeyPair, content: Path) -> None:
        _install("nginx", "curl")
        (port,) = free_ports(1)
        self._folder = folder
        self._url = f"https://127.0.0.1:{port}/{content.name}"
        config = folder / "nginx.conf"
        files = (pair.certificate, pair.key)
        config.write_text(nginx_config(folder, f"127.0.0.1:{port}", files, content.parent))
        for above in (folder, *folder.parents[:2], content.parent, content):
            above.chmod(0o755)  # its workers are nobody
        self._process = subprocess.Popen(["nginx", "-c", str(config), "-p", str(folder)])

    def __enter__(self) -> "Nginx":
        wait_for(self._answers, "nginx does not answer", self._folder / "error.log")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def _answers(self) -> bool:
        head = ["curl", "--silent", "--fail", "--insecure", "--head", self._url]
        return subprocess.run(head, stdout=subprocess.DEVNULL, check=False).returncode == 0

    def fetched(self, count: int) -> float:
        """Have the file fetched and hashed so many times at once; return the seconds."""
        places = Path(tempfile.mkdtemp(dir=self._folder))
        begun = time.perf_counter()
        fetches = [
            subprocess.Popen(
                ["sh", "-c", _FETCH, "-", self._url, str(places / str(number))],
                stdout=subprocess.DEVNULL,
            )
            for number in range(count)
        ]
        failed = [fetch for fetch in fetches if fetch.wait()]
        seconds = time.perf_counter() - begun
        shutil.rmtree(places)
        assert not failed, "curl could not fetch"
        return seconds


def _install(*programs: str) -> None:
    """Have these programs, by Debian's package manager when they are missing."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        packages = ["nginx-light" if name == "nginx" else name for name in missing]
        for words in (["update", "-q"], ["install", "-qy", *packages]):
            subprocess.run(["apt-get", *words], stdout=subprocess.DEVNULL, check=True)
