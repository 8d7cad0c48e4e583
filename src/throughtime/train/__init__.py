"""TRAINING: from a cell and data to a run folder, and back to a model.

In reading order: `fitting` (`fit`, the whole of a training) and `conducting`; what was
asked for: `asked`, `settings`, `defaults`, `configuration`, `sources` (data and where
they come from); all that is there before the first step: `building`, of `scales`,
`readers`, `outputs` and `regularising`; `model`; the training itself: `truth`, `tasks`
(batches of answers), `learning` (the loop) and `descent` (optimisers), `ranks` (several
processes), `metrics`; what a person sees of it: `progress`, `board`, `picture`,
`interruption` (Ctrl-C); files: `folder`, `documents`, `describing`, `storage`,
`resuming`; afterwards: `runs` (`Run`, `load`), `measuring` (how good answers are),
`judging`, `predicting`, `sampling`, `streaming`, `continuing`. For loops of your own:
`truncation`.

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
