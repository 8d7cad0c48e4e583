"""`fit`: from a cell and data to a run."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from throughtime.data import Dataset, Missing, Reading, describe_data
from throughtime.graph import Cell
from throughtime.nn.heads import Pooling
from throughtime.train.building import make_model
from throughtime.train.configuration import cell_words, to_toml
from throughtime.train.defaults import settle
from throughtime.train.describing import describe
from throughtime.train.documents import write_document
from throughtime.train.folder import (
    CHECKPOINT,
    COMMAND,
    CONFIG,
    CURVE,
    INITIAL,
    WEIGHTS,
    make_folder,
    write,
)
from throughtime.train.interruption import Interruption, interruptible
from throughtime.train.learning import Loop, Outcome
from throughtime.train.learning.checkpoints import restore
from throughtime.train.memory import enough_memory
from throughtime.train.metrics import measure
from throughtime.train.model import Model
from throughtime.train.picture import draw_curve
from throughtime.train.progress import Live, Reporter, Silent, words
from throughtime.train.ranks import Ranks, join
from throughtime.train.resuming import (
    check_same,
    find_checkpoint,
    with_threads_of,
    words_on_resuming,
)
from throughtime.train.runs import Run
from throughtime.train.settings import Settings
from throughtime.train.sources import describe_source, read
from throughtime.train.storage import weights_of, write_weights
from throughtime.train.tasks import Task, make_task

_SMALLER = "give a smaller hidden_size, num_layers or batch_size"


def fit(
    cell: Cell,
    data: Any,
    *,
    sequence: str | None = None,
    time: str | None = None,
    features: Sequence[str] | None = None,
    target: Any = None,
    inputs: Mapping[str, str | Sequence[str]] | None = None,
    task: str | None = None,
    per: str | None = None,
    horizon: int | None = None,
    difference: int | None = None,
    missing: Missing = "error",
    time_difference: bool = False,
    split: str | None = None,
    split_seed: int = 0,
    memory: str = "256MB",
    hidden_size: int | None = None,
    num_layers: int = 1,
    bidirectional: bool = False,
    heads: int = 1,
    residual: bool = False,
    dropout: float = 0.0,
    checkpoint: int | str | None = None,
    embedding: int | None = None,
    pool: Pooling | None = None,
    class_weights: str | Mapping[str, float] | None = None,
    target_replication: float | None = None,
    optimizer: str = "adam",
    epochs: int | None = None,
    patience: int | None = None,
    batch_size: int | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    schedule: str = "cosine",
    clip: float = 1.0,
    save_every: float = 60.0,
    seed: int = 0,
    backend: str = "auto",
    dtype: str = "float32",
    device: str | torch.device = "cpu",
    threads: int | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    quiet: bool = True,
    command: str | None = None,
    named: str | None = None,
) -> Run:
    """Train a cell on data, and write a run folder.

    The validation part says when to stop and which weights to keep; the test part is
    measured once, at the end. Nothing is fitted on either of them. Ctrl-C ends the
    training early and keeps the best weights so far; a second one ends it at once. The
    same seed, settings, machine and number of threads give the same bits.

    Started as one of several processes, by `torchrun` or in a process group, it trains
    with the others: each follows its share of every batch, all take the same updates,
    and the first alone writes the folder.

    What is learned follows from the data: the class of a sequence or of each step,
    labels, numbers, the next step, or a forecast. The loss of a batch is the mean over
    its answers that count.

    Parameters
    ----------
    cell
        The equations of one time step.
    data
        The name of a bundled data set; the path of a table, a folder or pattern of
        tables, or a text; a frame; arrays; a data set: as `throughtime.data.read` takes
        them. Of a text the next character is predicted at every step.
    sequence, time, features, target, inputs
        Which columns are what, as in `Reading`.
    task, per, horizon, difference
        The question, where it shall not follow from the columns, as in `Reading`.
    missing, time_difference, split, split_seed, memory
        How the data are read, as in `Reading`; `split_seed` is its `seed`.
    hidden_size, num_layers, bidirectional, heads, residual, dropout, checkpoint
        The network, as in `Recurrent`. `hidden_size` None: 256 for a text, else 128.
    embedding
        The size of a category's learned vector; None: 64 for the characters of a text,
        one channel per category of a column.
    pool
        How one answer per sequence is made of all steps: `"last"`, `"mean"`, `"max"`.
        None: last, or mean for a cell without states.
    class_weights
        `"balanced"`: all classes weigh the same in all, however rare; or a mapping from
        some classes to their weights. Of a label, the class of its name is its yes.
    target_replication
        Of one answer per sequence from the last step: the share of the loss, from 0 to
        1, that is the mean loss of the answers of all steps (Lipton et al. 2016).
    optimizer
        `"adam"` or `"sgd"`.
    epochs, patience
        Passes over the training data at most, and how many in a row may bring no better
        validation loss. None: what suits the data, as for all that follows.
    batch_size
        Sequences, or parallel streams of a text, per update.
    steps
        Steps of a text between two updates: the state is carried on from one piece to
        the next, the gradient is not. Of answers per step, the longest stretch that is
        learned at once, cut elsewhere in each epoch. A sequence with one answer is
        never cut; give none for it.
    learning_rate
        The first step width.
    schedule
        `"cosine"`: it falls to 0 over the epochs along half a cosine. `"constant"`.
    clip
        The norm of the gradient at most; 0 lets every gradient pass.
    save_every
        Seconds between two checkpoints. Training goes on from the last one to the same
        bits, however it was cut off.
    seed
        Draws first weights and order.
    backend
        As in `Recurrent`.
    dtype
        `"float32"` or `"float64"`.
    device
        `"cpu"` or `"cuda"`, or such a `torch.device`.
    threads
        Threads of PyTorch and of the compiled code; None: as many as PyTorch has, less
        where several processes of one machine share them.
    out
        The folder of the run, new or empty. None: ``runs/<data>-<cell>-<n>``.
    resume
        Go on with the training in `out`, with the same data, cell and settings;
        `epochs` and `patience` may differ where the step width is constant. Where it
        has no checkpoint yet it starts anew, and says so.
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
    ranks = join(device)
    reading = _reading(asked)
    dataset = read(data, reading)
    earlier = find_checkpoint(out, resume, ranks)
    settings = with_threads_of(earlier, settle(dataset, asked), out)
    ranks.check(settings)
    with _numbers(settings, ranks), enough_memory("the training", _SMALLER):
        model = make_model(cell, dataset, settings)
        weight = model.head.weight
        model.network.choice(weight.dtype, weight.device)  # the backend must serve
        learned = make_task(dataset, settings, ranks)
        source = describe_source(data, dataset, reading)
        _check_same(ranks, model, settings, source)
        name = model.network.graphs[0].cell
        folder = ranks.from_first(
            lambda: make_folder(out, dataset.name, name, resume=resume)
        )
        training = _Training(model, learned, settings, folder, dataset, source)
        configuration = _configuration(cell, named, source, settings)
        if earlier is None:
            said = command or _call(cell, dataset, settings)
            training.begin(_one_line(said), configuration)
        else:
            training.go_on(configuration)
        if not ranks.first:  # what is drawn from here on are masks
            torch.manual_seed(ranks.seed(settings.seed))
        reporter = Silent() if quiet or not ranks.first else _live(settings, learned)
        if resume:
            for line in words_on_resuming(earlier, folder):
                reporter.say(line)
        return training.run(reporter, earlier)


class _Training:
    """From a model to a finished folder."""

    def __init__(
        self,
        model: Model,
        task: Task,
        settings: Settings,
        folder: Path,
        dataset: Dataset,
        source: Mapping[str, Any],
    ) -> None:
        self.model, self.task, self.settings = model, task, settings
        self.folder, self.dataset, self.source = folder, dataset, source

    def begin(self, command: bytes, configuration: bytes) -> None:
        """Make the folder one that loads from its first moment on."""
        if self.task.ranks.first:
            self._begin(command, configuration)

    def _begin(self, command: bytes, configuration: bytes) -> None:
        write(self.folder / COMMAND, command)
        write(self.folder / CONFIG, configuration)
        weights = weights_of(self.model)
        write_weights(self.folder / INITIAL, weights, epoch=0)
        write_weights(self.folder / WEIGHTS, weights, epoch=0)
        self._write_document(Outcome())

    def go_on(self, configuration: bytes) -> None:
        """See that the folder is of this training."""

        def check() -> None:
            check_same(self.folder, self.model, self.settings, self.source)
            write(self.folder / CONFIG, configuration)

        self.task.ranks.from_first(check)

    def run(self, reporter: Reporter, earlier: dict[str, Any] | None) -> Run:
        # The first Ctrl-C ends the loop; the end of the run is never lost to it.
        with interruptible() as interruption:
            outcome = self._learn(reporter, interruption, earlier)
            try:
                return self._finish(outcome)
            except KeyboardInterrupt:
                missing = self.folder / CURVE
                reporter.say(f"stopped before '{missing}' was drawn; the rest is there")
                raise

    def _learn(
        self,
        reporter: Reporter,
        interruption: Interruption,
        earlier: dict[str, Any] | None,
    ) -> Outcome:
        model, task, settings = self.model, self.task, self.settings
        with reporter:
            for line in introduction(model, task, self.dataset):
                reporter.say(line)
            loop = Loop(model, task, settings, self.folder, reporter, interruption)
            if earlier is not None:
                restore(self.folder / CHECKPOINT, earlier, loop)
            return loop.run()

    def _finish(self, outcome: Outcome) -> Run:
        ranks = self.task.ranks
        document = ranks.from_first(lambda: self._write_document(outcome))
        measured = measure(self.task, self.model, "test")
        run = Run(
            self.folder,
            document,
            outcome.rows,
            self.settings,
            outcome.best_epoch,
            dataset=self.dataset,
            backend=self.settings.backend,
            device=self.settings.device,
            measured={"test": measured},
        )
        if ranks.first:
            self._draw(run, measured[self.task.metric])
        return run

    def _draw(self, run: Run, result: float) -> None:
        title = (
            f"{run.cell}, {self.settings.hidden_size} units, on {self.dataset.name}: "
            f"test {words(self.task.metric)} {result:.4g}"
        )
        picture = draw_curve(
            run.metrics, self.task.metric, title, run.best_epoch, run.baselines()
        )
        write(self.folder / CURVE, picture)

    def _write_document(self, outcome: Outcome) -> dict[str, Any]:
        # The epoch that was kept is written in the weights' own file, with them.
        training = {"stopped": outcome.stopped}
        return write_document(
            self.folder, self.model, self.task, self.settings, self.source, training
        )


def introduction(model: Model, task: Task, dataset: Dataset) -> Iterator[str]:
    """Say which backend serves and why, and what was read."""
    weight = model.head.weight
    choice = model.network.choice(weight.dtype, weight.device)
    device = "" if weight.device.type == "cpu" else f" on {weight.device}"
    yield f"backend {choice.backend}{device}: {choice.reason}"
    if not task.ranks.alone:
        threads = torch.get_num_threads()
        yield f"{task.ranks.world} processes share each batch, {threads} threads each"
    yield from str(describe_data(dataset)).splitlines()
    if model.pooling == "mean" and not model.network.state_names:
        yield "a cell without states: its answer is the mean over all steps"


def _check_same(
    ranks: Ranks, model: Model, settings: Settings, source: Mapping[str, Any]
) -> None:
    """Refuse ranks that were asked for something else; threads are their own."""
    if not ranks.alone:
        ranks.check_same("data", source["checksum"])
        ranks.check_same("settings", replace(settings, threads=None).to_json())
        ranks.check_same("equations", describe(model)["graphs"])


@contextmanager
def _numbers(settings: Settings, ranks: Ranks) -> Iterator[None]:
    """Set seed and threads for a while; the caller's own come back afterwards."""
    threads = torch.get_num_threads()
    devices = [settings.device] if settings.device.startswith("cuda") else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(settings.seed)
        torch.set_num_threads(settings.threads or ranks.threads())
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _live(settings: Settings, task: Task) -> Live:
    return Live(settings.epochs, task.metric, task.counted)


def _reading(asked: Mapping[str, Any]) -> Reading:
    """Make of all arguments what is said of the data."""
    names = {entry.name for entry in fields(Reading)} - {"inputs", "seed"}
    said = {name: asked[name] for name in names}
    return Reading(**said, inputs=asked["inputs"] or {}, seed=asked["split_seed"])


def _call(cell: Cell, dataset: Dataset, settings: Settings) -> str:
    given = ", ".join(f"{name}={value!r}" for name, value in settings.to_json().items())
    return f"throughtime.fit({cell!r}, {dataset.name!r}, {given})"


def _configuration(
    cell: Cell, named: str | None, source: Mapping[str, Any], settings: Settings
) -> bytes:
    """Say all that was asked, so that it can be asked again."""
    reading = dict(source["reading"])
    asked: dict[str, Any] = {
        "data": source["source"],
        "split_seed": reading.pop("seed"),
        **reading,
        "cell": _found_anywhere(named) or cell_words(cell),
        **settings.to_json(),
    }
    asked["threads"] = torch.get_num_threads()  # other bits with another number
    return to_toml(asked)


def _found_anywhere(named: str | None) -> str | None:
    """Make the path of a user's file whole, so that it is found from other folders."""
    path, colon, name = (named or "").rpartition(".py:")
    return f"{Path(path + '.py').resolve()}:{name}" if colon else named


def _one_line(text: str) -> bytes:
    return f"{text}\n".encode("utf-8", "surrogatepass")
