"""A run after its training: what it measured, and its model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from throughtime.data import (
    Dataset,
    Question,
    Reading,
    SequenceDataset,
    Split,
    TextDataset,
    trivial_baselines,
)
from throughtime.data.loading import is_bundled
from throughtime.data.sources.paths import is_pattern
from throughtime.diagnose import Diagnosis
from throughtime.errors import (
    DamagedModel,
    DataChanged,
    DataMoved,
    DataOfMemory,
)
from throughtime.train.asking.settings import Settings, check_choice
from throughtime.train.asking.sources import checksum, read, read_again
from throughtime.train.files.folder import MODEL, RESTARTS
from throughtime.train.files.storage import (
    load_model,
    one_line,
)
from throughtime.train.measuring import Predicted
from throughtime.train.measuring.additive import accuracy
from throughtime.train.metrics import measure
from throughtime.train.model import Model
from throughtime.train.tasks import Task, make_task

SPLITS: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "test": "test",
}


class Run:
    """A training that has ended, or is read from its folder.

    Parameters
    ----------
    path
        The folder.
    document
        What its `model.json` says.
    metrics
        A mapping per epoch: what `metrics.jsonl` says.
    settings
        Those of the training.
    best_epoch
        The epoch whose weights were kept.
    dataset
        The data, if they are loaded already.
    backend, device
        Where the model shall run.
    moved_to
        Where the data lie now, if no longer where they were, or the data.
    measured
        What `evaluate` gives of some parts, if it is known already.
    """

    def __init__(
        self,
        path: Path,
        document: Mapping[str, Any],
        metrics: list[dict[str, Any]],
        settings: Settings,
        best_epoch: int,
        *,
        dataset: Dataset | None = None,
        backend: str = "auto",
        device: str = "cpu",
        moved_to: Any = None,
        measured: Mapping[str, dict[str, float]] | None = None,
    ) -> None:
        self.path, self.metrics, self.settings = path, metrics, settings
        self._document = document
        self._best_epoch = best_epoch
        self._dataset = dataset
        self._backend, self._device = backend, device
        self._moved_to = moved_to
        self._model: Model | None = None
        self._measured: dict[str, dict[str, float]] = dict(measured or {})
        self._predicted: dict[str, list[Predicted]] = {}
        self._baselines: dict[str, float] | None = None

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def cell(self) -> str:
        """Name of the cell's class."""
        return self._document["model"]["graphs"][0]["cell"]

    @property
    def data(self) -> str:
        """Name of the data, or their whole path."""
        data = self._document["data"]
        return data["source"] or data["name"]

    @property
    def task(self) -> str:
        """`"classify"`, `"multilabel"`, `"regress"`, `"next"` or `"forecast"`."""
        return self._document["task"]

    @property
    def question(self) -> Question:
        """What is asked of the data; of a text, its next symbol."""
        return Question(**self._document["model"]["question"])

    @property
    def reading(self) -> Reading:
        """How the data are read."""
        return read_again(self._document["data"]["reading"])

    @property
    def of_text(self) -> bool:
        """Whether the data are a text."""
        return self._document["data"]["kind"] == "text"

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights were kept; 0: those before the first step."""
        return self._best_epoch

    @property
    def stopped(self) -> str | None:
        """Why training ended: by `"epochs"`, `"patience"` or `"time"`, or otherwise.

        `"interrupted"`, `"diverged"`; None if it never came to its end.
        """
        return self._document["training"]["stopped"]

    @property
    def seconds(self) -> float:
        """How long training took, validation included."""
        # Older runs know how long their epochs took without it.
        epochs = sum(row["seconds"] for row in self.metrics)
        return self._document["training"].get("seconds") or epochs

    @property
    def restarts(self) -> dict[str, Any] | None:
        """What came of all seeds, if it is the best of several.

        `kept`, its seed; `validation_loss`, the `min`, `median` and `max` of all;
        `seeds`, a mapping for each. None: there was one training.

        Raises
        ------
        DamagedModel
            `restarts.json` cannot be read.
        """
        path = self.path / RESTARTS
        try:
            return json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise DamagedModel(path=path, reason=one_line(error)) from None

    @property
    def model(self) -> Model:
        """The model with its best weights, in evaluation mode."""
        if self._model is None:
            self._model = load_model(
                self.path, backend=self._backend, device=self._device
            )
        return self._model

    @property
    def dataset(self) -> Dataset:
        """The data of the training.

        Raises
        ------
        DataChanged, DataMoved
            They are not what they were, or not where they were.
        """
        if self._dataset is None:
            self._dataset = self._load_data()
        return self._dataset

    def evaluate(self, split: str = "test") -> dict[str, float]:
        """Measure the best weights on one part of the data.

        Parameters
        ----------
        split
            `"train"`, `"validation"` or `"test"`.

        Returns
        -------
        dict
            `loss` of an answer, as training counts it, and the task's `metric`.
        """
        check_choice("split", split, SPLITS)
        self._check_labels()
        if split not in self._measured:
            self._measured[split] = measure(self._task(), self.model, SPLITS[split])
        return dict(self._measured[split])

    def accuracies(self, split: str = "test") -> dict[str, float]:
        """Return the accuracy of each target by its name, where several are classified.

        Of any other question nothing: `evaluate` says its one number.
        """
        columns = self.model.output.columns
        if self.task != "classify" or len(columns) < 2:
            return {}
        answers = zip(columns, self.answers(split), strict=True)
        return {
            column.name: accuracy(predicted).value() for column, predicted in answers
        }

    def predicted(self, split: str = "test", target: str | None = None) -> Predicted:
        """Give all answers of the best weights to one part of the data.

        Parameters
        ----------
        split
            `"train"`, `"validation"` or `"test"`.
        target
            Whose answers, where several columns are classified; None: of the first.

        Returns
        -------
        Predicted
            Probabilities or values in own units, beside the truth, by sequence and
            step; only answers whose truth is known.
        """
        several = self.task == "classify"
        names = [column.name for column in self.model.schema.targets] if several else []
        if target is not None:
            check_choice("target", target, names)
        return self.answers(split)[names.index(target) if target else 0]

    def answers(self, split: str = "test") -> list[Predicted]:
        """Give what `predicted` gives, of every target that is classified."""
        check_choice("split", split, SPLITS)
        self._check_labels()
        if split not in self._predicted:
            task = self._task()
            self._predicted[split] = task.predict(self.model, SPLITS[split])
        return self._predicted[split]

    def diagnose(
        self,
        data: Any = None,
        *,
        surface: bool = False,
        lags: int | None = None,
        sequences: int = 64,
        seed: int = 0,
    ) -> Diagnosis:
        """Say why it does, or does not, learn, and write it into the folder.

        Parameters
        ----------
        data
            New data in the place of the validation part, as `judge` takes them.
        surface
            Whether to look at the loss around the weights, too, which takes longest.
        lags
            The largest lag of gradients by lag; None: all there are.
        sequences
            How many sequences, or stretches of a text, to look at: less of long ones.
        seed
            Draws them.
        """
        from throughtime.train.diagnosing import diagnose

        return diagnose(
            self, data, surface=surface, lags=lags, sequences=sequences, seed=seed
        )

    def baselines(self) -> dict[str, float]:
        """Return what trivial methods reach on the test part.

        From the data's card; where there is none they are measured.
        """
        if self._baselines is None:
            card = self.dataset.card
            known = dict(card.baselines) if card else {}
            self._baselines = known or trivial_baselines(self.dataset)
        return dict(self._baselines)

    @property
    def metric(self) -> str:
        """Name of what is measured beside the loss."""
        return self._task().metric

    def _check_labels(self) -> None:
        data, model = self.dataset, self.model
        if isinstance(data, TextDataset):
            same = model.labels == tuple(data.vocabulary)
        else:
            same = (model.schema, model.question) == (data.schema, data.question)
        if not same:
            reason = "its columns and labels are not those of the data"
            raise DamagedModel(path=self.path / MODEL, reason=reason)

    def _task(self) -> Task:
        return make_task(self.dataset, self.settings)

    def _load_data(self) -> Dataset:
        stored = self._document["data"]
        name = stored["source"] if self._moved_to is None else self._moved_to
        if name is None:
            raise DataOfMemory(run=self.path, name=stored["name"])
        if self._moved_to is None and not _is_there(name):
            raise DataMoved(run=self.path, path=name)
        # A data set that is read already is not read in that way again.
        given = isinstance(name, SequenceDataset | TextDataset)
        dataset = name if given else read(name, self.reading)
        if checksum(dataset) != stored["checksum"]:
            raise DataChanged(path=dataset.name)
        return dataset


def _is_there(name: str) -> bool:
    """Whether data may be read from a bundled name, a path or a pattern."""
    return is_bundled(name) or Path(name).exists() or is_pattern(name)
