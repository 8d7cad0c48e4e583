"""Every built-in cell has a name on the command line."""

import re

import pytest
from click.testing import CliRunner

from throughtime import cells
from throughtime.cells.built_in import BUILT_IN
from throughtime.cli import main
from throughtime.cli.cell_names import find_cell
from throughtime.errors import UnknownCell
from throughtime.graph import trace


@pytest.mark.parametrize(
    "name", [n for n in cells.__all__ if isinstance(getattr(cells, n), type)]
)
def test_the_name_of_its_class_finds_a_cell(name: str) -> None:
    assert type(find_cell(name)) is getattr(cells, name)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_name_is_a_cell_that_runs(name: str) -> None:
    assert trace(find_cell(name), 3, 10).output_size > 0


def test_help_and_refusal_list_every_name() -> None:
    found = CliRunner().invoke(main, ["train", "--help"], terminal_width=400)
    words = set(re.findall(r"[\w-]+", found.output))
    assert set(BUILT_IN) <= words
    with pytest.raises(UnknownCell) as caught:
        find_cell("ltsm")
    assert all(name in str(caught.value) for name in BUILT_IN)
