"""What `import throughtime` gives, and that it gives it lazily."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import throughtime

PUBLIC = (
    "CarriedState Cell Input Parameter State baselines bench cells cite convert data "
    "diagnose errors estimators explain fit load math nn optim report train"
).split()
MOST_NAMES = 30


def test_the_public_names_are_these() -> None:
    assert throughtime.__all__ == PUBLIC
    assert len(PUBLIC) <= MOST_NAMES
    assert dir(throughtime) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there(name: str) -> None:
    value = getattr(throughtime, name)
    assert value.__doc__
    assert getattr(throughtime, name) is value


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Transformer'"):
        _ = throughtime.Transformer


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(throughtime.__file__).read_text(encoding="utf-8"))
    (static,) = [node for node in tree.body if isinstance(node, ast.If)]
    names = [
        a.name
        for n in ast.walk(static)
        if isinstance(n, ast.ImportFrom)
        for a in n.names
    ]
    assert sorted(names) == PUBLIC


@pytest.mark.parametrize("name", ["Cell", "cells", "math", "errors"])
def test_equations_need_no_torch(name: str) -> None:
    code = f"import sys, throughtime; throughtime.{name}; print('torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "False"
