"""Everything that README and documentation show runs, and they leave nothing out."""

import doctest
import importlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

import throughtime as tt
from docs import pages
from throughtime.cli import main

ROOT = Path(__file__).parent.parent
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS += sorted((ROOT / "docs" / "reference").glob("*.md"))
REFERENCE = sorted((ROOT / "docs" / "reference").glob("*.rst"))
# A page trains as a person would; the tests run the same lines on a smaller network.
SMALLER = {
    "hidden_size=128": "hidden_size=8",
    '"hidden_size": [4, 8]': '"hidden_size": [8]',
    "epochs=20": "epochs=1",
    "epochs=5": "epochs=2",
}
SENTENCE = "the quick brown fox jumps over the lazy dog.\n"
VISITS = "patient,hour,pulse,outcome\n" + "".join(
    f"{patient},{hour},{60 + patient + hour},{'ill' if patient % 2 else 'well'}\n"
    for patient in range(30)
    for hour in range(3)
)
QUICK = ["--hidden-size", "8", "--epochs", "1", "--threads", "1", "--quiet"]
ROOMS = [
    "throughtime",
    *(
        f"throughtime.{room}"
        for room in (
            "math cells nn optim data diagnose train estimators baselines report"
        ).split()
    ),
]


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, found.start(2)) + 1
        yield Block(page, line, found[1], found[2])


def run_python(block: Block, names: dict[str, Any]) -> None:
    text = block.text
    for large, small in SMALLER.items():
        text = text.replace(large, small)
    if ">>>" in text:
        run_examples(block, text, names)
    else:
        lines_above = "\n" * (block.line - 1)
        exec(compile(lines_above + text, block.page, "exec"), names)


def run_examples(block: Block, text: str, names: dict[str, Any]) -> None:
    test = doctest.DocTestParser().get_doctest(
        text, names, block.page.name, str(block.page), block.line - 1
    )
    assert test.examples
    report: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE  # long lines are wrapped
    runner = doctest.DocTestRunner(optionflags=flags)
    runner.run(test, out=report.append, clear_globs=False)
    assert not report, "".join(report)
    names.update(test.globs)


def run_console(block: Block, written: list[Block]) -> None:
    """Run each command; the files that it names are there."""
    for line in re.findall(r"^\$ ([^#\n]*)", block.text, re.MULTILINE):
        program, *words = shlex.split(line)
        if program == "make":
            assert f"\n{words[0]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
            continue
        assert program == "throughtime"
        for file, name in re.findall(r"(\w+\.py):(\w+)", line):
            Path(file).write_text(source_of(name, written), encoding="utf-8")
        for file in re.findall(r"\w+\.txt", line):
            Path(file).write_text(SENTENCE * 25, encoding="utf-8")
        for file in re.findall(r"\w+\.csv", line):
            if not Path(file).exists():
                Path(file).write_text(VISITS, encoding="utf-8")
        words = [re.sub(r"^RUN\b", newest_run, word) for word in words]
        words += QUICK if words[0] == "train" else []
        assert main(words, standalone_mode=False) in {None, 0}


def newest_run(_: re.Match[str]) -> str:
    return str(max(Path("runs").iterdir(), key=lambda run: run.stat().st_mtime_ns))


def source_of(name: str, written: list[Block]) -> str:
    """The imports of the page, and the block with the class."""
    python = [block.text for block in written if block.language == "python"]
    lines = [line for text in python for line in text.splitlines()]
    imports = [line for line in lines if line.startswith(("from throughtime",))]
    (source,) = [
        text for text in python if f"class {name}(" in text and ">>>" not in text
    ]
    return "\n".join([*imports, source])


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small networks on a busy machine: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.timeout(300)  # a long page is many trainings
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_every_block_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": page.stem}
    written: list[Block] = []
    for block in blocks(page):
        if block.language == "python":
            run_python(block, names)
        if block.language == "console":
            run_console(block, written)
        written.append(block)


def test_no_fence_is_left_out() -> None:
    for page in TEXTS:
        fences = re.findall(r"^```", page.read_text(encoding="utf-8"), re.MULTILINE)
        directives = re.findall(
            r"^```\{", page.read_text(encoding="utf-8"), re.MULTILINE
        )
        languages = {block.language for block in blocks(page)}
        assert len(fences) == 2 * (len(list(blocks(page))) + len(directives))
        assert languages <= {"python", "console"}


def test_an_example_with_a_wrong_answer_is_found() -> None:
    block = Block(Path("page.md"), 1, "python", "")
    with pytest.raises(AssertionError, match="Expected"):
        run_examples(block, ">>> 1 + 1\n3\n", {})


def test_pages_name_the_line_that_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```python\nx = 1\nraise ValueError\n```\n")
    (block,) = blocks(page)
    with pytest.raises(ValueError) as failure:
        run_python(block, {})
    assert failure.traceback[-1].lineno == 4


@pytest.mark.parametrize("room", ROOMS)
def test_the_reference_shows_every_public_name(room: str) -> None:
    shown = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCE)
    module = importlib.import_module(room)
    for name in module.__all__:
        is_room = hasattr(getattr(module, name), "__path__")
        has_page = name in pages.CELLS or room == "throughtime.math"
        directive = rf"^\.\. auto\w+:: (throughtime\.)?{name}$"
        assert is_room or has_page or re.search(directive, shown, re.MULTILINE), name


def test_the_architecture_is_the_rooms_signs_in_the_order_of_the_stairs() -> None:
    text = pages.architecture()
    folders = {path.parent for path in pages.PACKAGE.rglob("__init__.py")}
    rooms = pages.rooms()
    assert len(rooms) == len(folders) - 1
    places = [text.index(pages.sign(room)) for room in ["", *rooms] if room]
    assert places == sorted(places)
    first, *_, last = [room for room in rooms if "/" not in room]
    assert (first, last) == ("errors", "cli")


@pytest.mark.parametrize("name", pages.CELLS)
def test_a_cells_page_shows_its_source_and_its_deltas(name: str) -> None:
    page = " ".join(pages.cell(name).split())
    assert f"class {name}" in page
    for line in tt.explain(getattr(tt.cells, name)()).equations().deltas:
        assert line in page


def test_every_mistake_stands_in_the_reference() -> None:
    page = pages.errors()
    root = tt.errors.ThroughtimeError.__name__
    assert [n for n in tt.errors.__all__ if n != root and f"``{n}``" not in page] == []


def test_every_option_of_the_command_line_is_shown() -> None:
    page = pages.commands()
    for command in main.commands.values():
        assert all(option in page for p in command.params for option in p.opts[:1])
