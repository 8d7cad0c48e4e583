"""Every built-in cell has a name on the command line."""

import pytest

from throughtime import cells
from throughtime.cli.cell_names import BUILT_IN, find_cell
from throughtime.graph import trace


@pytest.mark.parametrize(
    "name", [n for n in cells.__all__ if isinstance(getattr(cells, n), type)]
)
def test_the_name_of_its_class_finds_a_cell(name: str) -> None:
    assert type(find_cell(name)) is getattr(cells, name)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_name_is_a_cell_that_runs(name: str) -> None:
    assert trace(find_cell(name), 3, 10).output_size > 0
