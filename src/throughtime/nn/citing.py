"""What to cite: `cite` prints the papers that a model's cells come from."""

from collections.abc import Iterator
from typing import TextIO

from torch import nn

from throughtime.errors import NotCitable
from throughtime.graph import Cell
from throughtime.graph.declarations import references_of
from throughtime.nn.layers import Layers


def cite(model: Cell | nn.Module, file: TextIO | None = None) -> None:
    """Print the papers of a cell, or of all cells of a model, as BibTeX.

    A model that was loaded knows them too: they are kept with its step graphs. A cell
    of your own names them in its attribute ``references``, a tuple of BibTeX entries.

    Parameters
    ----------
    model
        A cell, or a module with recurrent modules of `throughtime.nn` in it.
    file
        Where to, as of `print`: ``open("references.bib", "w")``; by default standard
        output.

    Raises
    ------
    NotCitable
        It is neither.
    """
    print("\n".join(_lines(model)), file=file)


def _lines(model: object) -> Iterator[str]:
    known: set[str] = set()
    for name, references in _cells(model):
        # What stands outside an entry is a comment to BibTeX.
        yield f"% {name}" if references else f"% {name}: it names no reference"
        for entry in references:
            if entry not in known:
                yield f"{entry.strip()}\n"
        known.update(references)


def _cells(model: object) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Name and references of each kind of cell, once."""
    if isinstance(model, Cell):
        yield type(model).__name__, references_of(model)
        return
    modules = model.modules() if isinstance(model, nn.Module) else ()
    layers = [module for module in modules if isinstance(module, Layers)]
    if not layers:
        given = model.__name__ if isinstance(model, type) else type(model).__name__
        raise NotCitable(given=given)
    graphs = (graph for layer in layers for graph in layer.graphs)
    yield from dict.fromkeys((graph.cell, graph.references) for graph in graphs)
