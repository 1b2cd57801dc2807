"""Real screens for the tests: Xvfb on a free display, a window manager, pictures, their text."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from agent.session.x11 import Screen
from tests.house.source import ROOT
from tests.until import until

PICTURES = ROOT / "build" / "screens"
NEEDED = {
    "Xvfb": "xvfb",
    "openbox": "openbox",
    "tesseract": "tesseract-ocr tesseract-ocr-fra",
    "import": "imagemagick",
    "setpriv": "util-linux",
}
_LANGUAGES = {"en": "eng", "fr": "fra"}
_OF_A_DESKTOP = {"DISPLAY", "WAYLAND_DISPLAY", "LANGUAGE", "LANG", "LC_ALL", "LC_MESSAGES"}


def missing_packages() -> list[str]:
    """Return the Debian packages that a desktop to test on needs, and that are not here."""
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    return missing + ["python3-tk"] * (find_spec("_tkinter") is None)


def environment_of(display: str, **more: str) -> dict[str, str]:
    """Return the environment of a program on this display."""
    kept = {key: value for key, value in os.environ.items() if key not in _OF_A_DESKTOP}
    return kept | {"DISPLAY": display} | more


@contextmanager
def x_server(*options: str) -> Iterator[str]:
    """Run an X server; yield the display that it found free."""
    missing = " ".join(missing_packages())
    assert not missing, f"cannot make a desktop to test on. As root: apt-get install {missing}"
    readable, writable = os.pipe()
    command = ["Xvfb", "-displayfd", str(writable), "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(
        [*command, "-screen", "0", "1280x800x24", *options],
        pass_fds=[writable],
        stderr=subprocess.DEVNULL,
    )
    os.close(writable)
    try:
        with os.fdopen(readable) as told:
            yield f":{told.readline().strip()}"
    finally:
        end(server)


@contextmanager
def window_manager(
    display: str, before: Sequence[str] = (), language: str = "en"
) -> Iterator[None]:
    """Run a window manager on this display, ready to manage."""
    command = [*before, "openbox", "--sm-disable"]
    manager = subprocess.Popen(
        command,
        env=environment_of(display, LANGUAGE=language),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    screen = Screen(display)
    try:
        until(screen.is_managed, what="a window manager")
        yield
    finally:
        screen.close()
        end(manager)


@contextmanager
def desktop(*options: str, before: Sequence[str] = (), language: str = "en") -> Iterator[str]:
    """Run a whole desktop, in this language; yield its display."""
    with x_server(*options) as display, window_manager(display, before, language):
        yield display


def end(process: "subprocess.Popen[bytes]") -> None:
    """End one program that we started."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def picture(display: str, name: str, window: int = 0) -> Path:
    """Keep a picture of the screen, or of one window; return where."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    file = PICTURES / f"{name}.png"
    target = hex(window) if window else "root"
    _run("import", "-display", display, "-window", target, str(file))
    return file


def text_of(file: Path, language: str = "en") -> str:
    """Return the text that can be read on a picture, all spaces alike."""
    large = file.with_suffix(".large.png")
    _run("convert", str(file), "-resize", "200%", "-colorspace", "Gray", str(large))
    spoken = _LANGUAGES[language]
    read = _run("tesseract", str(large), "-", "-l", spoken, "--psm", "6", OMP_THREAD_LIMIT="1")
    large.unlink()
    return " ".join(read.split())


def _run(*command: str, **environment: str) -> str:
    env: Mapping[str, str] = dict(os.environ) | environment
    ran = subprocess.run(command, env=env, capture_output=True, check=True, timeout=30)
    return ran.stdout.decode()
