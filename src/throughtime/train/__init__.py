"""TRAINING: from a cell and data to a run folder, and back to a model.

In reading order: `fitting` (`fit`, the whole of a training), `settings` (what can be
asked, and the defaults per kind of data), `model` (preprocessing, network, output: what
is saved), `tasks` (batches of answers), `loop` (epochs, early stopping), `metrics`,
`progress` (what a person sees), `interruption` (Ctrl-C), `folder` (files, written
whole or not at all), `picture` (`curve.png`), `runs` (`Run`, `load`), `sampling`. How
good answers are says the room `measuring`.

May import `data`, `nn` and the rooms below. A loaded model is built from data alone:
no pickle, no source of the cell.

Next: `cli`, which puts commands on it.
"""

from throughtime.train.fitting import fit
from throughtime.train.model import Model
from throughtime.train.runs import Run, load, open_run
from throughtime.train.sampling import sample

__all__ = ["Model", "Run", "fit", "load", "open_run", "sample"]
