import json
from pathlib import Path
from xml.etree import ElementTree

from tests.bench.curve import curves
from tests.bench.figure import Figure, keep


def test_figures_measured_alone_leave_those_of_others_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "build" / "bench.json"
    keep(file, [Figure("a visit", 85, "ms", 150.0), Figure("help", 0.08, "s", 0.4)])
    keep(file, [Figure("a visit", 170, "ms", 150.0)])
    rows = {row["name"]: row for row in json.loads(file.read_text("utf-8"))}
    assert list(rows) == ["a visit", "help"]
    assert (rows["a visit"]["value"], rows["a visit"]["ok"]) == (170, False)


def test_curves_are_one_sheet_with_every_value_on_it() -> None:
    sheet = curves("Growth & more", "hosts", {"a": [(50, 3.0), (1000, 400.0)], "b": [(50, 3.1)]})
    words = ["".join(text.itertext()) for text in ElementTree.fromstring(sheet).iter()]
    assert {"Growth & more", "hosts", "a", "b", "400", "3.1", "50", "1000"} <= set(words)
