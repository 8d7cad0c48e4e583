"""TRAINING: from a cell and data to a run folder, and back to a model.

In reading order: `fitting` (`fit`, the whole of a training), `sources` (data and where
they come from), `settings` and `defaults`; `building`, all that is fitted before the
first step, of `scales`, `readers` and `outputs`; `model`, `truth`, `tasks` (batches of
answers), `learning`, `metrics`, `progress`, `interruption` (Ctrl-C), `ranks` (several
processes); `folder`, `documents`, `describing` and `storage` (files); `measuring` (how
good answers are), `picture`, `runs` (`Run`, `load`), `judging`, `predicting`,
`sampling`. For loops of your own: `truncation`.

May import `data`, `nn` and the rooms below. A loaded model is built from data alone:
no pickle, no source of the cell.

Next: `cli`, which puts commands on it.
"""

from throughtime.train.fitting import fit
from throughtime.train.judging import judge
from throughtime.train.model import Model
from throughtime.train.predicting import predict
from throughtime.train.runs import Run, load, open_run
from throughtime.train.sampling import sample

__all__ = ["Model", "Run", "fit", "judge", "load", "open_run", "predict", "sample"]
