"""TRAINING: from a cell and data to a run folder, and back to a model.

In reading order: `fitting` (`fit`, the whole of a training) and `conducting`; `asking`
(what was asked for), `preparing` (all that is there before the first step), `model`
around a `network`, `tasks` (batches of answers), `learning` (the loop) with `descent`
(optimisers) and `ranks` (several processes), `metrics`; `showing` (what a person sees),
`interruption` (Ctrl-C), `files` (a run's folder), `restarting` (several seeds).
Afterwards: `runs` (`Run`) and `opening` (`load`), `measuring` (how good answers are),
`judging`, `predicting`, `sampling`, `streaming`, `continuing`, `diagnosing` (why it
learns, or does not). For loops of your own: `truncation`.

May import `data`, `nn` and the rooms below. A loaded model is built from data alone:
no pickle, no source of the cell.

Next: `cli`, which puts commands on it.
"""

from throughtime.train.fitting import fit
from throughtime.train.judging import judge
from throughtime.train.model import Model
from throughtime.train.opening import load, open_run
from throughtime.train.predicting import predict
from throughtime.train.runs import Run
from throughtime.train.sampling import sample

__all__ = ["Model", "Run", "fit", "judge", "load", "open_run", "predict", "sample"]
