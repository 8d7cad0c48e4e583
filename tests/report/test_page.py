"""The page: one file that needs no network, and runs nothing of what it names."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.report.conftest import HOSTILE
from tests.report.diagnosed import FINDINGS, write_diagnosis
from throughtime.errors import CannotWrite, NotARun, ReportExtraMissing
from throughtime.report import write_report
from throughtime.report.extra import library
from throughtime.report.page import main_part, names, page
from throughtime.report.reading import read_run


class Elements(HTMLParser):
    """Which elements there are, and what stands in those that run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def test_the_file_lies_in_the_run_and_asks_for_nothing(diagnosed: Path) -> None:
    path = write_report(diagnosed)
    assert path == diagnosed / "report.html"
    text = path.read_text(encoding="utf-8")
    assert text.count(library()) == 1
    rest = text.replace(library(), "")
    for tag, attributes in Elements(rest).tags:
        for name in ("src", "href", "action", "data", "srcset"):
            address = attributes.get(name) or ""
            assert address.startswith(("#", "data:")) or not address, (tag, address)
    assert not re.search(r"@import|url\(\s*['\"]?(?!data:)", rest)
    assert path.stat().st_size < 2_000_000


def test_names_and_labels_are_text(diagnosed: Path) -> None:
    evil = {**FINDINGS[2], "sentence": HOSTILE, "where": HOSTILE, "remedy": HOSTILE}
    write_diagnosis(diagnosed, findings=[evil])
    run = read_run(diagnosed)
    text = main_part([run, run])
    found = Elements(text)
    plots = sum(a.get("class") == "plot" for _, a in found.tags)
    # Each chart has its description; no name has made another script, nor an image.
    assert found.count("script") == plots > 20
    assert all(
        attributes.get("type") == "application/json"
        for tag, attributes in found.tags
        if tag == "script"
    )
    assert found.count("b") == found.count("img") == 0
    assert HOSTILE in found.text


def test_the_answers_come_before_the_charts(diagnosed: Path) -> None:
    text = Elements(main_part([read_run(diagnosed)])).text
    places = [
        text.index(words)
        for words in (
            "Did it learn?",
            "How far does it remember?",
            "What to change?",
            "--init chrono",
            "Course of the training",
            "What was computed",
            "How it was made",
        )
    ]
    assert places == sorted(places)


def test_what_is_missing_is_said_with_the_command_that_makes_it(plain: Path) -> None:
    text = Elements(main_part([read_run(plain)])).text
    assert text.count("throughtime diagnose '") >= 6
    assert "--surface" in text
    assert "--watch gradients" in text


def test_hardware_seed_command_versions_and_equations_are_there(plain: Path) -> None:
    found = Elements(main_part([read_run(plain)]))
    for words in ("hardware", "versions", "seed", "command", "PyTorch", "fit("):
        assert words in found.text
    assert found.count("math") > 15
    assert found.count("mfrac") >= 4


def test_two_runs_stand_side_by_side(plain: Path, diagnosed: Path) -> None:
    text = main_part([read_run(diagnosed), read_run(plain)])
    found = Elements(text)
    assert "2 runs side by side" in found.text
    assert found.count("article") == 2
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [a["href"] for tag, a in found.tags if tag == "a"]
    assert links == ["#run-0", "#run-1"]


def test_runs_of_the_same_name_are_told_apart(trained: Path, diagnosed: Path) -> None:
    runs = [read_run(trained), read_run(diagnosed)]
    assert names(runs) == [str(trained), str(diagnosed)]
    assert names([runs[0], runs[0]]) == [f"1: {trained}", f"2: {trained}"]


def test_several_runs_are_written_where_one_is(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_report(trained, trained) == Path("report.html")
    assert (tmp_path / "report.html").exists()
    elsewhere = tmp_path / "page.html"
    assert write_report(trained, output=elsewhere) == elsewhere


def test_a_run_without_an_epoch_has_a_page(plain: Path) -> None:
    (plain / "metrics.jsonl").unlink()
    text = Elements(page([read_run(plain)])).text
    assert "No epoch was finished so far." in text


def test_a_folder_that_is_not_there_is_one_error(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="No such file"):
        write_report(trained, output=tmp_path / "nowhere" / "page.html")
    with pytest.raises(NotARun):
        write_report(trained, tmp_path / "no run")


@pytest.mark.parametrize(
    ("module", "package"),
    [("altair", "altair"), ("vl_convert", "vl-convert-python"), ("jinja2", "jinja2")],
)
def test_a_missing_extra_is_one_error(
    trained: Path, monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # it cannot be imported any more
    with pytest.raises(ReportExtraMissing, match=r"throughtime\[report\]") as caught:
        write_report(trained)
    assert package in str(caught.value)


def test_a_report_needs_no_torch(diagnosed: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from throughtime.report import write_report; "
        "write_report(sys.argv[1], output=sys.argv[2]); print('torch' in sys.modules)"
    )
    output = str(tmp_path / "page.html")
    command = [sys.executable, "-c", code, str(diagnosed), output]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "False"
