"""The rules of the house that no off-the-shelf linter knows."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "throughtime"
SOURCES = sorted(PACKAGE.rglob("*.py"))
ROOMS = [path for path in SOURCES if path.name == "__init__.py"]
MAXIMUM_FILE_LINES = 400
MAXIMUM_FUNCTION_LINES = 40  # a screen, signature and docstring not counted
ROOM_SIGN_LINES = range(5, 16)
KNOW_NO_TORCH = [
    "throughtime." + room.replace("/", ".")
    for room in ["errors", "graph", "math", "cells", "backends/llvm"]
    if (PACKAGE / room / "__init__.py").exists()
]

# Written so that this file does not contain what it looks for.
FORBIDDEN = {
    "a path of somebody's machine": r"/[w]ork/|/[f]arm/|/[t]mp/brief|[.]library/",
    "the address of a package registry": r"[i]ndex-url|[p]ypi\.org/simple",
    "a reminder instead of the work": r"\b[T]ODO\b|\b[F]IXME\b|\b[X]XX\b",
    "a text outside the repository": r"[f]acts\.md|[d]esign\.md|\b[d]esign §|[f]acts §",
    "how the work was organised": r"\b[i]ssue \d|\b[t]his (?:session|issue)\b",
}
TEXT_SUFFIXES = {".cff", ".css", ".html", ".md", ".py", ".rst", ".sh", ".toml", ".txt"}
OWN_FOLDERS = ["src", "tests", "examples", "benchmarks", "scripts", "docs", ".ci"]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def own_texts() -> Iterator[Path]:
    yield from (path for path in ROOT.iterdir() if path.is_file())
    for folder in OWN_FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            made = {"__pycache__", "_build", "generated"} & set(path.parts)
            is_text = path.suffix in TEXT_SUFFIXES or folder == ".ci"
            if path.is_file() and is_text and not made and "bundled" not in path.parts:
                yield path


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of_body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first, last = function.body[0].lineno, function.end_lineno or function.lineno
    docstring = 0
    if ast.get_docstring(function) is not None:
        statement = function.body[0]
        docstring = (statement.end_lineno or statement.lineno) - statement.lineno + 1
    return last - first + 1 - docstring


def test_there_are_sources_to_judge() -> None:
    assert PACKAGE / "__init__.py" in ROOMS
    assert (PACKAGE / "errors" / "__init__.py") in ROOMS


def test_every_folder_of_sources_is_a_package() -> None:
    # The layers' linter does not see into a folder without `__init__.py`.
    folders = {folder for path in SOURCES for folder in path.parents}
    inside = {folder for folder in folders if folder.is_relative_to(PACKAGE)}
    assert inside - {path.parent for path in ROOMS} == set()


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAXIMUM_FILE_LINES
    lengths = {f.name: lines_of_body(f) for f in functions(path)}
    assert {n: k for n, k in lengths.items() if k > MAXIMUM_FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", ROOMS, ids=relative)
def test_every_room_has_its_sign(path: Path) -> None:
    sign = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert sign is not None
    assert len(sign.splitlines()) in ROOM_SIGN_LINES


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_nobody_inside_imports_the_root(path: Path) -> None:
    # It would tie every room to all the others.
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert all(alias.name != "throughtime" for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module != "throughtime"


def loads_torch(module: str) -> bool:
    check = f"import sys, {module}; print('torch' in sys.modules)"
    command = [sys.executable, "-c", check]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return answer.stdout.strip() == "True"


@pytest.mark.parametrize("module", ["throughtime", *KNOW_NO_TORCH])
def test_importing_what_knows_no_torch_loads_none(module: str) -> None:
    # The layers' linter does not see what a parent's `__init__` imports.
    assert not loads_torch(module)


def test_the_process_that_looks_for_torch_can_see_it() -> None:
    assert loads_torch("torch")


def test_the_linter_forbids_torch_in_the_same_rooms() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (rule,) = [c for c in contracts if c.get("forbidden_modules") == ["torch"]]
    assert set(KNOW_NO_TORCH) <= set(rule["source_modules"])


@pytest.mark.parametrize("reason", FORBIDDEN)
def test_the_repository_speaks_of_the_project_alone(reason: str) -> None:
    pattern = re.compile(FORBIDDEN[reason])
    found = {
        f"{relative(path)}: {line.strip()[:80]}"
        for path in own_texts()
        for line in path.read_text(encoding="utf-8").splitlines()
        if pattern.search(line)
    }
    assert found == set()


@pytest.mark.parametrize("line", ["see /{}/main", "# {}: later", "{} § 4"])
def test_the_search_for_forbidden_words_finds_them(line: str) -> None:
    words = ["work", "TO" + "DO", "design"]
    texts = [line.format(word) for word in words]
    assert any(re.search(p, t) for p in FORBIDDEN.values() for t in texts)


def test_the_wheel_holds_types_data_and_licence(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run([*build, "-d", tmp_path], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert "throughtime/py.typed" in inside
    assert any(name.endswith("licenses/LICENSE") for name in inside)
    files = [path for path in PACKAGE.rglob("*") if path.is_file()]
    shipped = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in files
        if "__pycache__" not in path.parts
    }
    assert shipped - inside == set()
