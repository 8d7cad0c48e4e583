"""`fit`: from a cell and data to a run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from throughtime.data import (
    Dataset,
    SequenceDataset,
    TextDataset,
    cards,
)
from throughtime.data import load as load_data
from throughtime.errors import CellNeedsInput, LooksAhead
from throughtime.graph import Cell
from throughtime.train.configuration import cell_words, to_toml
from throughtime.train.folder import (
    COMMAND,
    CONFIG,
    CURVE,
    INITIAL,
    WEIGHTS,
    make_folder,
    write,
)
from throughtime.train.interruption import Interruption, interruptible
from throughtime.train.loop import Loop, Outcome
from throughtime.train.memory import enough_memory
from throughtime.train.model import Model
from throughtime.train.picture import draw_curve
from throughtime.train.progress import Live, Reporter, Silent, words
from throughtime.train.runs import Run, checksum, write_document
from throughtime.train.settings import Settings, settle
from throughtime.train.storage import write_weights
from throughtime.train.tasks import Task, make_model, make_task

_SMALLER = "give a smaller hidden_size, num_layers or batch_size"


def fit(
    cell: Cell,
    data: str | os.PathLike[str] | Dataset,
    *,
    hidden_size: int | None = None,
    num_layers: int = 1,
    bidirectional: bool = False,
    optimizer: str = "adam",
    epochs: int | None = None,
    patience: int | None = None,
    batch_size: int | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    schedule: str = "cosine",
    clip: float = 1.0,
    seed: int = 0,
    backend: str = "auto",
    dtype: str = "float32",
    device: str | torch.device = "cpu",
    threads: int | None = None,
    out: str | os.PathLike[str] | None = None,
    quiet: bool = True,
    command: str | None = None,
    named: str | None = None,
) -> Run:
    """Train a cell on data, and write a run folder.

    The validation part says when to stop and which weights to keep; the test part is
    measured once, at the end. Ctrl-C ends the training early and keeps the best
    weights so far; a second one ends it at once. The same seed, settings, machine and
    number of threads give the same bits.

    Parameters
    ----------
    cell
        The equations of one time step.
    data
        The name of a bundled data set, the path of a text file, or a data set.
        Sequences with a class each are classified: from the last step, or, for a cell
        without states, from the mean over all steps. Of a text the next character is
        predicted at every step.
    hidden_size, num_layers, bidirectional
        The network, as in `Recurrent`. `hidden_size` None: 128 for sequences, 256 for a
        text.
    optimizer
        `"adam"` or `"sgd"`.
    epochs, patience
        Passes over the training data at most, and how many in a row may bring no better
        validation loss. None: 20 and 10 for sequences, 12 and 3 for a text.
    batch_size
        Sequences, or parallel streams of a text, per update. None: 64 sequences, 32
        streams, or fewer for a text under 32,000 characters.
    steps
        Steps of a text between two updates. The state is carried on from one piece to
        the next, the gradient is not. None: 32. Sequences with a class are never cut;
        give none for them.
    learning_rate
        The first step width. None: what suits optimiser and data.
    schedule
        `"cosine"`: it falls to 0 over the epochs along half a cosine. `"constant"`.
    clip
        The norm of the gradient at most; 0 lets every gradient pass.
    seed
        Draws first weights and order.
    backend
        As in `Recurrent`.
    dtype
        `"float32"` or `"float64"`.
    device
        `"cpu"` or `"cuda"`, or such a `torch.device`.
    threads
        Threads of PyTorch and of the compiled code; None: as many as PyTorch has.
    out
        The folder of the run, new or empty. None: ``runs/<data>-<cell>-<n>``.
    quiet
        False shows progress on standard error.
    command
        What `command.txt` says. None: this call.
    named
        What `config.toml` says of the cell, as `--cell` takes it. None: how the cell is
        found again by its class, where it is one without arguments.

    Returns
    -------
    Run
        With path, metrics, the model and `evaluate`.

    Raises
    ------
    ThroughtimeError
        An argument, the data, the cell or the folder cannot be used, or the training
        diverges; the message says why and what to do.
    """
    asked = {**locals()}
    given = isinstance(data, SequenceDataset | TextDataset)
    dataset = data if given else load_data(data)
    settings = settle(dataset, asked)
    if isinstance(dataset, TextDataset) and bidirectional:
        raise LooksAhead(data=dataset.name)
    with _numbers(settings), enough_memory("the training", _SMALLER):
        model = make_model(cell, dataset, settings)
        _check(model)
        task = make_task(dataset, settings)
        folder = make_folder(out, dataset.name, model.network.graphs[0].cell)
        write(folder / COMMAND, _one_line(command or _call(cell, dataset, settings)))
        write(folder / CONFIG, _configuration(cell, named, dataset, settings))
        training = _Training(model, task, settings, folder, dataset)
        return training.run(Silent() if quiet else _live(settings, task))


class _Training:
    """From a model to a finished folder."""

    def __init__(
        self,
        model: Model,
        task: Task,
        settings: Settings,
        folder: Path,
        dataset: Dataset,
    ) -> None:
        self.model, self.task, self.settings = model, task, settings
        self.folder, self.dataset = folder, dataset
        self.source = {"name": _source(dataset), "checksum": checksum(dataset)}

    def run(self, reporter: Reporter) -> Run:
        # The first Ctrl-C ends the loop; the end of the run is never lost to it.
        with interruptible() as interruption:
            self._write_start()
            outcome = self._learn(reporter, interruption)
            try:
                return self._finish(outcome)
            except KeyboardInterrupt:
                missing = self.folder / CURVE
                reporter.say(f"stopped before '{missing}' was drawn; the rest is there")
                raise

    def _learn(self, reporter: Reporter, interruption: Interruption) -> Outcome:
        with reporter:
            for line in introduction(self.model, self.task, self.dataset):
                reporter.say(line)
            return Loop(
                self.model,
                self.task,
                self.settings,
                self.folder,
                reporter,
                interruption,
            ).run()

    def _write_start(self) -> None:
        """Make the folder one that loads from its first moment on."""
        write_weights(self.folder / INITIAL, self.model, epoch=0)
        write_weights(self.folder / WEIGHTS, self.model, epoch=0)
        self._document(Outcome(stopped=None))

    def _finish(self, outcome: Outcome) -> Run:
        document = self._document(outcome)
        run = Run(
            self.folder,
            document,
            outcome.rows,
            self.settings,
            outcome.best_epoch,
            dataset=self.dataset,
            backend=self.settings.backend,
            device=self.settings.device,
        )
        result = run.evaluate("test")[self.task.metric]
        title = (
            f"{run.cell}, {self.settings.hidden_size} units, on {self.dataset.name}: "
            f"test {words(self.task.metric)} {result:.4g}"
        )
        picture = draw_curve(
            outcome.rows, self.task.metric, title, outcome.best_epoch, run.baselines()
        )
        write(self.folder / CURVE, picture)
        return run

    def _document(self, outcome: Outcome) -> dict[str, Any]:
        # The epoch that was kept is written in the weights' own file, with them.
        training = {"stopped": outcome.stopped}
        return write_document(
            self.folder, self.model, self.task, self.settings, self.source, training
        )


def introduction(model: Model, task: Task, dataset: Dataset) -> Iterator[str]:
    """Say which backend serves and why, and what is about to be learned."""
    weight = model.head.weight
    choice = model.network.choice(weight.dtype, weight.device)
    device = "" if weight.device.type == "cpu" else f" on {weight.device}"
    yield f"backend {choice.backend}{device}: {choice.reason}"
    if model.pooling == "mean":
        yield "a cell without states: its answer is the mean over all steps"


@contextmanager
def _numbers(settings: Settings) -> Iterator[None]:
    """Set seed and threads for a while; the caller's own come back afterwards."""
    threads = torch.get_num_threads()
    devices = [settings.device] if settings.device.startswith("cuda") else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(settings.seed)
        torch.set_num_threads(settings.threads or threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _live(settings: Settings, task: Task) -> Live:
    return Live(settings.epochs, task.metric, task.counted)


def _check(model: Model) -> None:
    """Refuse what cannot be trained, before anything is written."""
    for declared in model.network.graphs[0].inputs:
        if declared.name != "x":
            cell = model.network.graphs[0].cell
            raise CellNeedsInput(cell=cell, name=declared.name)
    weight = model.head.weight
    model.network.choice(weight.dtype, weight.device)  # the backend must serve


def _source(dataset: Dataset) -> str:
    """Say how the data are found again: by name, or by the whole path of a text."""
    if dataset.name in {card.name for card in cards()} or not isinstance(
        dataset, TextDataset
    ):
        return dataset.name
    return str(Path(dataset.name).resolve())


def _call(cell: Cell, dataset: Dataset, settings: Settings) -> str:
    given = ", ".join(f"{name}={value!r}" for name, value in settings.to_json().items())
    return f"throughtime.fit({cell!r}, {dataset.name!r}, {given})"


def _configuration(
    cell: Cell, named: str | None, dataset: Dataset, settings: Settings
) -> bytes:
    """Say all that was asked, so that it can be asked again."""
    asked: dict[str, Any] = {
        "data": _source(dataset),
        "cell": named or cell_words(cell),
        **settings.to_json(),
    }
    asked["threads"] = torch.get_num_threads()  # other bits with another number
    return to_toml(asked)


def _one_line(text: str) -> bytes:
    return f"{text}\n".encode("utf-8", "surrogatepass")
