"""From a model to a finished run folder."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from throughtime.data import Dataset, describe_data
from throughtime.data.trivial import LAST_TRUE
from throughtime.errors import TrainingDiverged
from throughtime.train.asking.settings import Settings
from throughtime.train.descent.optimizers import takes_rows
from throughtime.train.files.documents import as_json, write_document
from throughtime.train.files.folder import (
    CHECKPOINT,
    COMMAND,
    CONFIG,
    CURVE,
    FLOW,
    INITIAL,
    METRICS,
    WEIGHTS,
    held,
    remove,
    write,
)
from throughtime.train.files.storage import weights_of, write_weights
from throughtime.train.interruption import Interruption, interruptible
from throughtime.train.learning import Loop, Outcome
from throughtime.train.learning.checkpoints import hardware, machine, restore
from throughtime.train.learning.resuming import check_same
from throughtime.train.metrics import HIGHER_IS_BETTER, measure
from throughtime.train.model import Model
from throughtime.train.runs import Run
from throughtime.train.showing.picture import draw_curve
from throughtime.train.showing.progress import Reporter, words
from throughtime.train.tasks import Task


class Made(NamedTuple):
    """All that there is before the first step, but for the folder."""

    model: Model
    task: Task
    settings: Settings
    dataset: Dataset
    source: Mapping[str, Any]


class Conduct:
    """From a model to a finished folder."""

    def __init__(self, made: Made, folder: Path) -> None:
        self.model, self.task, self.settings, self.dataset, self.source = made
        self.folder = folder

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Let no other training write into the folder meanwhile.

        Raises
        ------
        RunBusy
            Another one does.
        """
        with ExitStack() as stack:

            def hold() -> None:
                stack.enter_context(held(self.folder))

            self.task.ranks.from_first(hold)
            yield

    def begin(self, command: bytes, configuration: bytes) -> None:
        """Make the folder one that loads from its first moment on."""
        if self.task.ranks.first:
            self._begin(command, configuration)

    def _begin(self, command: bytes, configuration: bytes) -> None:
        for name in (METRICS, FLOW, CURVE):  # of a training that left no checkpoint
            remove(self.folder / name)
        write(self.folder / COMMAND, command)
        write(self.folder / CONFIG, configuration)
        weights = weights_of(self.model)
        write_weights(self.folder / INITIAL, weights, epoch=0)
        write_weights(self.folder / WEIGHTS, weights, epoch=0)
        self._write_document(Outcome())

    def go_on(self, configuration: bytes, earlier: Mapping[str, Any]) -> None:
        """See that the folder is of this training, and let it say that it goes on."""

        def check() -> None:
            check_same(self.folder, self.model, self.settings, self.source, earlier)
            write(self.folder / CONFIG, configuration)
            self._write_document(Outcome())

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
            if model.recurrent.sparse_input and not takes_rows(loop.updates.optimizer):
                reporter.say(_dense(settings.optimizer, model.recurrent.input_size))
            if earlier is not None:
                restore(self.folder / CHECKPOINT, earlier, loop)
            try:
                return loop.run()
            except TrainingDiverged:
                # Who asks later why it did not learn finds it here.
                loop.outcome.stopped = "diverged"
                if task.ranks.first:
                    self._write_document(loop.outcome)
                raise

    def _finish(self, outcome: Outcome) -> Run:
        ranks = self.task.ranks
        document = ranks.from_first(lambda: self._write_document(outcome))
        measured: dict[str, dict[str, float]] = {}
        if len(self.dataset.splits["test"]):
            measured["test"] = measure(self.task, self.model, "test")
        run = Run(
            self.folder,
            document,
            outcome.rows,
            self.settings,
            outcome.best_epoch,
            dataset=self.dataset,
            backend=self.settings.backend,
            device=self.settings.device,
            measured=measured,
        )
        if ranks.first and measured:
            self._write_document(outcome, self._result(run, measured["test"]))
            self._draw(run, measured["test"][self.task.metric])
        return run

    def _result(self, run: Run, test: Mapping[str, float]) -> dict[str, Any]:
        """Say what came out, and what trivial methods reach without the truth."""
        metric = self.task.metric
        fair = {n: v for n, v in run.baselines().items() if n != LAST_TRUE}
        return as_json(
            {
                "metric": metric,
                "higher_is_better": metric in HIGHER_IS_BETTER,
                "test": test,
                "trivial": fair,
            }
        )

    def _draw(self, run: Run, result: float) -> None:
        """Draw how it came to the result on the test part."""
        title = (
            f"{run.cell}, {self.settings.hidden_size} units, on {self.dataset.name}: "
            f"test {words(self.task.metric)} {result:.4g}"
        )
        picture = draw_curve(
            run.metrics, self.task.metric, title, run.best_epoch, run.baselines()
        )
        write(self.folder / CURVE, picture)

    def _write_document(
        self, outcome: Outcome, result: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        # The epoch that was kept is written in the weights' own file, with them.
        training = {
            "stopped": outcome.stopped,
            "machine": machine(),
            "hardware": hardware(),
            "threads": torch.get_num_threads(),
            "seconds": outcome.seconds,
            "result": result,
        }
        return write_document(
            self.folder, self.model, self.task, self.settings, self.source, training
        )


def _dense(optimizer: str, size: int) -> str:
    """Say what an optimiser costs that does not take the gradients of some rows."""
    return (
        f"{optimizer} changes the weights of all {size:,} items at every update; "
        "lazy-adagrad and lazy-fobos only those of the items that a batch names"
    )


def introduction(model: Model, task: Task, dataset: Dataset) -> Iterator[str]:
    """Say which backend serves and why, and what was read."""
    weight = model.head.weight
    choice = model.recurrent.choice(weight.dtype, weight.device)
    device = "" if weight.device.type == "cpu" else f" on {weight.device}"
    yield f"backend {choice.backend}{device}: {choice.reason}"
    if not task.ranks.alone:
        threads = torch.get_num_threads()
        yield f"{task.ranks.world} processes share each batch, {threads} threads each"
    yield from str(describe_data(dataset)).splitlines()
    if model.pooling == "mean" and not model.recurrent.state_names:
        yield "a cell without states: its answer is the mean over all steps"
