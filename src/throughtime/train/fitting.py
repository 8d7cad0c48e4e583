"""`fit`: from a cell and data to a run."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from throughtime.data import Missing
from throughtime.graph import Cell
from throughtime.nn.heads import Pooling
from throughtime.train.asking.asked import call_of, configuration_of, reading_of
from throughtime.train.asking.choices import check_updates
from throughtime.train.asking.defaults import settle
from throughtime.train.asking.settings import Settings
from throughtime.train.asking.sources import describe_source, read
from throughtime.train.conducting import Conduct, Made
from throughtime.train.descent.penalties import check_penalties
from throughtime.train.files.describing import describe
from throughtime.train.files.folder import make_folder
from throughtime.train.learning.flossing import check_flossing
from throughtime.train.learning.flow import check_flow
from throughtime.train.learning.resuming import (
    find_checkpoint,
    with_threads_of,
    words_on_resuming,
)
from throughtime.train.memory import enough_memory
from throughtime.train.model import Model
from throughtime.train.preparing.building import make_model
from throughtime.train.preparing.regularising import regularised
from throughtime.train.ranks import Ranks, joined
from throughtime.train.restarting import check_restarts, restarted
from throughtime.train.runs import Run
from throughtime.train.showing.board import check_tensorboard
from throughtime.train.showing.choosing import reporter_of
from throughtime.train.showing.progress import Reporter
from throughtime.train.tasks import make_task
from throughtime.train.threads import using_threads

_SMALLER = "give a smaller hidden_size, num_layers or batch_size"


def fit(
    cell: Cell,
    data: Any,
    *,
    sequence: str | None = None,
    time: str | None = None,
    features: Sequence[str] | None = None,
    items: str | Sequence[str] | None = None,
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
    zoneout: float | Mapping[str, float] | None = None,
    drop_connect: float = 0.0,
    variational_dropout: float | Mapping[str, float] | None = None,
    k_winners: float | None = None,
    activity_l1: float | None = None,
    watch: str | None = None,
    flow_penalty: float | None = None,
    init: str = "default",
    forget_bias: float | None = None,
    chrono_steps: int | None = None,
    flossing: int | None = None,
    flossing_every: int | None = None,
    optimizer: str = "adam",
    weight_decay: float | None = None,
    momentum: float | None = None,
    l1: float | None = None,
    l2: float | None = None,
    optimizer_options: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    patience: int | None = None,
    time_limit: float | None = None,
    batch_size: int | None = None,
    steps: int | None = None,
    tbptt: str | int | None = None,
    learning_rate: float | None = None,
    schedule: str | None = None,
    schedule_factor: float | None = None,
    schedule_epochs: int | None = None,
    schedule_options: Mapping[str, Any] | None = None,
    warmup: int = 0,
    clip: float = 1.0,
    clip_value: float = 0.0,
    accumulate: int = 1,
    average: str | None = None,
    ema_decay: float | None = None,
    swa_start: float | None = None,
    save_every: float = 60.0,
    seed: int = 0,
    backend: str = "auto",
    dtype: str = "float32",
    device: str | torch.device = "cpu",
    threads: int | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    restarts: int = 1,
    tensorboard: bool = False,
    reporter: Callable[[Reporter, Path], Reporter] | None = None,
    quiet: bool = True,
    command: str | None = None,
    named: str | None = None,
) -> Run:
    """Train a cell on data, and write a run folder.

    The validation part says when to stop and which weights to keep; the test part is
    measured once, at the end, where there is one. Nothing is fitted on either of them.
    Ctrl-C ends the training early and keeps the best weights so far; a second one ends
    it at once. The same seed, settings, machine and number of threads give the same
    bits.

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
    sequence, time, features, items, target, inputs
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
    zoneout, drop_connect, variational_dropout
        Regularisers, as `throughtime.cells.Zoneout`, `DropConnect` and
        `VariationalDropout` of the cell: a probability, or one for each of some states;
        that of recurrent weights; one, or those of `"input"` and `"hidden"`.
    k_winners
        How many of the cell's output units are not 0, a whole number, or what share of
        them, below 1: `throughtime.cells.KWinners` of the cell.
    activity_l1
        λ of a penalty on activity: training adds λ times Σ|h| over the units of all
        layers to the loss of each answer, the mean over the steps of its sequence; of a
        text and with `tbptt`, over the steps of its row in the update. What is recorded
        as loss is without it.
    watch
        `"gradients"`: at one of sixteen batches it is seen how long the error of each
        state is at each step, which shares of sigmoids and tanhs are saturated, and how
        much weights change; `flow.jsonl` in the run has a line for each epoch. Bits of
        the weights are the same.
    flow_penalty
        λ of a penalty on error that vanishes or explodes on its way back through time
        (Pascanu, Mikolov & Bengio 2013): training adds λΩ, the mean over all steps of a
        sequence of (‖∂E/∂s_{k+1} · ∂s_{k+1}/∂s_k‖ / ‖∂E/∂s_{k+1}‖ − 1)², s all states
        of a layer. With `tbptt` it is of the steps of each window. What is recorded as
        loss is without it.
    init, forget_bias, chrono_steps
        How recurrent weights and gates start, as in `throughtime.nn.initialise`.
        `chrono_steps` None: the longest stretch of steps that error flows through.
    flossing, flossing_every
        So many updates push the Lyapunov exponents of every layer towards 0 before the
        first epoch, so that gradients neither vanish nor explode
        (`throughtime.diagnose.flossing_loss`); with `flossing_every` before the first
        of every so many epochs. None: none.
    optimizer
        `"adam"`, `"sgd"`, or another of `torch.optim` by its name; `"lazy-sgd"`,
        `"lazy-fobos"`, `"lazy-adagrad"` or `"ftrl-proximal"` of `throughtime.optim`.
    weight_decay, momentum, optimizer_options
        Its arguments; None: its own defaults. Weights decay where they are matrices.
    l1, l2
        Penalties, of the four of `throughtime.optim`: ``l1 Σ|w| + l2/2 Σw²`` over the
        weights by which the first layer reads its input is added to the loss. With l1 a
        feature that says nothing loses all of its weights, exactly (of
        `"ftrl-proximal"` one that ever had a gradient). None: none.
    epochs, patience
        Passes over the training data at most, and how many in a row may bring no better
        validation loss. None: what suits the data, as for all that follows.
    time_limit
        Seconds that learning and validation may take, those before a `resume` included.
        Then it ends as by Ctrl-C, within an epoch; where, depends on the machine.
    batch_size
        Sequences, or parallel streams of a text, per update.
    steps
        Steps of a text between two updates: the state is carried on from one piece to
        the next, the gradient is not. Of answers per step, the longest stretch that is
        learned at once, cut elsewhere in each epoch. A sequence with one answer is
        never cut; give none for it.
    tbptt
        How error is truncated along a stream whose state is carried on, in place of
        `steps`: `"K1:K2"`, every K1 steps back over at most K2; `"K"` for K:K;
        `"random:L0"`, unbiased, L0 steps in the mean; `"auto"`, as many as keep the
        bias small. Sequences with answers per step stand side by side in `batch_size`
        rows, and are never cut.
    learning_rate
        The largest step width.
    schedule, schedule_factor, schedule_epochs, warmup
        How it changes. `"cosine"`: it falls to 0 over the epochs along half a cosine.
        None: so; `"constant"` for lazy-adagrad and ftrl-proximal, which take none that
        moves with every update.
        `"constant"`, `"linear"`, `"onecycle"`; `"exponential"`, `"step"` and
        `"plateau"` multiply it by a factor, after each epoch, after so many, or after
        so many without a better validation loss. Or any of
        `torch.optim.lr_scheduler` by its name. It rises to the first one over `warmup`
        updates.
    schedule_options
        Arguments of a schedule of PyTorch, such as ``{"milestones": [5, 8]}``.
    clip, clip_value
        The norm of the gradient at most, and the magnitude of each of its numbers; 0
        lets every gradient pass.
    accumulate
        Batches per update, whose gradient is that of the mean over all their answers.
    average, ema_decay, swa_start
        `"ema"` or `"swa"`: a mean of the weights is validated and kept, by a decay for
        every update, or over the epochs after a share of them.
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
        `patience`, `time_limit` and `save_every` may differ, and `epochs` where nothing
        is spread over them. Where it has no checkpoint yet it starts anew, and says so.
    restarts
        How many seeds are trained, from `seed` on, of which the one with the lowest
        validation loss is kept as the run; `restarts.json` in it says how far apart
        they ended, as `Run.restarts` does. As many train at a time, each in a process
        of its own, as there are threads; these are divided among them.
    tensorboard
        Write the course of the training into the run's folder `tensorboard`, for
        TensorBoard to show; it needs the extra of that name.
    reporter
        Given the reporter of this training and its folder, the one that is told of all
        that happens; it tells the given one. None: the given one alone.
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
    with joined(device) as ranks:
        several = check_restarts(asked, ranks)
        if tensorboard:
            ranks.from_first(check_tensorboard)
        earlier = find_checkpoint(out, resume, ranks)
        with _made(asked, ranks, earlier) as made:
            if several:
                return restarted(asked, made, fit)
            return _train(asked, ranks, made, earlier)


@contextmanager
def _made(
    asked: Mapping[str, Any], ranks: Ranks, earlier: Mapping[str, Any] | None
) -> Iterator[Made]:
    """Make all that `fit` was asked for, with all ranks, and refuse what cannot be."""
    cell, reading = asked["cell"], reading_of(asked)
    dataset = read(asked["data"], reading)
    settings = with_threads_of(earlier, settle(dataset, asked), asked["out"])
    ranks.check(settings)
    with _numbers(settings, ranks), enough_memory("the training", _SMALLER):
        model = make_model(regularised(cell, settings), dataset, settings)
        weight = model.head.weight
        model.recurrent.choice(weight.dtype, weight.device)  # the backend must serve
        learned = make_task(dataset, settings, ranks)
        source = describe_source(asked["data"], dataset, reading)
        _check_same(ranks, model, settings, source)
        check_updates(settings, learned.batches())
        _check_network(model, settings)
        yield Made(model, learned, settings, dataset, source)


def _train(
    asked: Mapping[str, Any],
    ranks: Ranks,
    made: Made,
    earlier: dict[str, Any] | None,
) -> Run:
    """Train once, in a folder of its own or one that goes on."""
    cell, settings = asked["cell"], made.settings
    out, name, resume = asked["out"], type(cell).__name__, asked["resume"]
    folder = ranks.from_first(
        lambda: make_folder(out, made.dataset.name, name, resume=resume)
    )
    training = Conduct(made, folder)
    configuration = configuration_of(cell, asked["named"], made.source, settings)
    with training.holding():
        if earlier is None:
            said = asked["command"] or call_of(cell, made.dataset, settings)
            training.begin(_one_line(said), configuration)
        else:
            training.go_on(configuration, earlier)
        if not ranks.first:  # what is drawn from here on are masks
            torch.manual_seed(ranks.seed(settings.seed))
        reporter = reporter_of(asked, ranks, settings, made.task, folder, earlier)
        if resume:
            for line in words_on_resuming(earlier, folder):
                reporter.say(line)
        return training.run(reporter, earlier)


def _check_network(model: Model, settings: Settings) -> None:
    """Refuse what the network has nothing for."""
    check_penalties(model.recurrent, settings.l1, settings.l2)
    check_flossing(model.recurrent, settings)
    check_flow(model.recurrent, settings.flow_penalty)


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
    devices = [settings.device] if settings.device.startswith("cuda") else []
    count = settings.threads or ranks.threads()
    with torch.random.fork_rng(devices=devices), using_threads(count):
        torch.manual_seed(settings.seed)
        yield


def _one_line(text: str) -> bytes:
    return f"{text}\n".encode("utf-8", "surrogatepass")
