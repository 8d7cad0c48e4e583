"""What all estimators share: a training behind `fit`, a run behind what was fitted."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Self, get_args

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from throughtime.data import Column, Dataset, Missing, Per, Question
from throughtime.data.tables.roles import check_missing_items
from throughtime.data.types import IntegerArray, Split
from throughtime.errors import (
    BadSampleWeight,
    NothingCounts,
    OtherKindOfRun,
    OtherKindOfX,
    TargetNeeded,
    TargetsChanged,
)
from throughtime.estimators.datasets import (
    Targets,
    all_of_it,
    make_dataset,
    places_in,
    schema_of,
    split_whole,
)
from throughtime.estimators.items import columns_named, item_columns
from throughtime.estimators.keeping import ESTIMATOR, Kept
from throughtime.estimators.parameters import SETTINGS, cell_of
from throughtime.estimators.sequences import Array, Sequences, read_first, read_more
from throughtime.train import Model, fit
from throughtime.train.asking.settings import check_choice
from throughtime.train.continuing import ONE_PASS, go_on
from throughtime.train.files.folder import passing, write
from throughtime.train.streaming import ModelStream
from throughtime.train.tasks import OfSequences
from throughtime.train.threads import using_threads

KINDS = {True: "sparse matrices", False: "arrays"}


class SequenceEstimator(BaseEstimator):
    """One of scikit-learn's estimators over a training and its run.

    Attributes
    ----------
    model_ : Model
        What was learned: preprocessing, network and output.
    metrics_ : list of dict
        A mapping per epoch, as `Run.metrics`.
    n_features_in_ : int
        F; where X was a matrix, the length of its rows.
    """

    _tasks: ClassVar[tuple[str, ...]]
    """What runs of this kind may be about."""
    _per: ClassVar[Per]
    _reads_sparse: ClassVar = True
    """Whether X may be sparse matrices."""

    def _learn(
        self,
        sequences: Sequences,
        targets: Targets,
        question: Question,
        splits: Mapping[Split, IntegerArray],
        sample_weight: Any = None,
        items: tuple[Column, ...] | None = None,
        **changed: Any,
    ) -> Self:
        """Train on X and y, and keep the run; some settings may be others.

        Sparse X names items: those of its training part, if others are not given.
        """
        if items is None and sequences.matrices is not None:
            items = item_columns(sequences.matrices, splits["train"])
        given = targets.columns, self._given("inputs")
        schema = schema_of(sequences, *given, items or ())
        dataset = make_dataset(
            sequences,
            schema,
            question,
            splits,
            targets=targets,
            weights=_weights(sequences, sample_weight),
            missing=self._given("missing"),
        )
        self._of_rows, self._optimizer = sequences.rows, None
        return self._train(dataset, **changed)

    def _train(self, dataset: Dataset, **changed: Any) -> Self:
        with self._folder() as out:
            run = fit(
                cell_of(self._given("cell")),
                dataset,
                **{**self._settings(), **changed},
                seed=self._seed,
                out=out,
                quiet=self._given("quiet"),
            )
            self._kept = Kept.of(run.path)
            self._kept.put_facts(self._facts())
            if self._given("out") is not None:
                write(run.path / ESTIMATOR, self._kept.files[ESTIMATOR])
            self.metrics_, self._model = run.metrics, run.model
        self._trained = self._kept.settings()
        return self

    def _begin(
        self,
        sequences: Sequences,
        targets: Targets,
        question: Question,
        sample_weight: Any,
    ) -> Self:
        """Learn from the first part of the data, in one pass."""
        self._draw_seed()
        splits = split_whole(sequences.lengths, None, validation=0, seed=0)
        items = None
        if sequences.matrices is not None:
            # What the first part does not name may come later.
            items = columns_named(np.arange(sequences.width))
        return self._learn(
            sequences,
            targets,
            question,
            splits,
            sample_weight,
            items=items,
            **ONE_PASS,
        )

    def _go_on(
        self, sequences: Sequences, targets: Targets, sample_weight: Any
    ) -> Self:
        """Learn from one more part of the data, in one pass."""
        model = self._model
        if len(targets.columns) != len(model.schema.targets):
            given, expected = len(targets.columns), len(model.schema.targets)
            raise TargetsChanged(given=given, expected=expected)
        dataset = make_dataset(
            sequences,
            model.schema,
            model.question,
            split_whole(sequences.lengths, None, validation=0, seed=0),
            targets=targets,
            weights=_weights(sequences, sample_weight),
            missing=model.reader.missing,
        )
        epoch = len(self.metrics_) + 1
        settings = replace(self._trained, seed=self._trained.seed + epoch)
        with using_threads(self._given("threads")):
            row, self._optimizer = go_on(model, dataset, settings, self._optimizer)
        self.metrics_ = [*self.metrics_, {**row, "epoch": epoch}]
        self._kept.put_pass(model, self.metrics_)
        return self

    def _settings(self) -> dict[str, Any]:
        """Return what `fit` is asked for, by its own names."""
        return {name: self._given(name) for name in SETTINGS}

    def _given(self, name: str) -> Any:
        return getattr(self, name)

    def _split(
        self, how: Callable[..., Any], lengths: IntegerArray, *more: Any
    ) -> dict[Split, IntegerArray]:
        """Keep something apart; the seed of it is that of the whole training."""
        self._draw_seed()
        share = self._given("validation")
        return how(lengths, *more, validation=share, seed=self._seed)

    def _draw_seed(self) -> None:
        """Draw what the whole of a training is drawn from."""
        given = self._given("random_state")
        if isinstance(given, int | np.integer):
            self._seed = int(given)
        else:
            self._seed = int(check_random_state(given).randint(2**31 - 1))

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """Give the folder of the run; one that was not asked for goes afterwards."""
        out = self._given("out")
        if out is not None:
            yield Path(out)
            return
        with TemporaryDirectory(prefix="throughtime-") as folder, passing():
            yield Path(folder) / "run"

    def _read(self, X: Any, y: Any) -> Sequences:
        """Read X to learn from; that there is a y is all that is asked of it here."""
        if y is None:
            raise TargetNeeded(estimator=type(self).__name__)
        missing = self._given("missing")
        check_choice("missing", missing, get_args(Missing))
        sparse = self._reads_sparse
        found = read_first(self, X, gaps=missing != "error", sparse=sparse)
        if found.matrices is not None:
            check_missing_items("X", missing)
        return found

    def _answers(self, X: Any) -> tuple[Sequences, list[Array]]:
        """Return X, and the answers to each sequence, `(K,)` or `(T_i, K)`."""
        check_is_fitted(self, "_kept")
        model = self._model
        sequences = self._read_more(X)
        dataset = make_dataset(
            sequences,
            model.schema,
            model.question,
            all_of_it(sequences.lengths),
            missing=model.reader.missing,
        )
        task = OfSequences(dataset, self._trained)
        answers: list[Array] = [np.empty(0)] * len(sequences.arrays)
        with using_threads(self._given("threads")):
            for pieces, outputs, _ in task.answered(model, "test"):
                found = outputs.cpu().numpy()
                for place, (sequence, _, stop, _) in enumerate(pieces.tolist()):
                    per_step = model.question.per == "step"
                    one = found[:stop, place] if per_step else found[place]
                    answers[sequence] = one
        return sequences, answers

    def _read_more(self, X: Any) -> Sequences:
        schema = self._model.schema
        width: int | None = len(places_in(schema))
        if schema.items:
            # No estimator: nobody noted how many columns the matrices had.
            width = self._kept.facts().get("n_features_in")
        found = read_more(
            self,
            X,
            gaps=self._model.reader.missing != "error",
            width=width,
            rows=self._of_rows,
            sparse=self._reads_sparse,
        )
        sparse = found.matrices is not None
        if sparse != bool(schema.items):
            raise OtherKindOfX(given=KINDS[sparse], expected=KINDS[not sparse])
        return found

    @property
    def model_(self) -> Model:
        """What was learned: preprocessing, network and output."""
        check_is_fitted(self, "_kept")
        return self._model

    def stream(self, batch: int | None = None) -> ModelStream:
        """Answer one time step at a time, with the bits of whole sequences.

        Parameters
        ----------
        batch
            B, the sequences that run side by side; None: one, and no axis for it.

        Returns
        -------
        ModelStream
            It takes a step of X and gives what `predict_proba`, or without it
            `predict`, gives for the steps so far, ``(K,)`` or ``(B, K)``.

        Raises
        ------
        TwoDirections
            The network is bidirectional.
        SparseInputElsewhere
            It was learned from sparse matrices.
        """
        return ModelStream(self.model_, batch, dtype=torch.float64)

    # -------------------------------------------------------------- files and pickle
    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write what was fitted as the folder of a run, new or empty.

        It needs no source of the cell: `load`, `throughtime.load` and the commands read
        it as any other.

        Parameters
        ----------
        path
            Where.
        """
        check_is_fitted(self, "_kept")
        return self._kept.write(path)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, backend: str = "auto", device: str = "cpu"
    ) -> Self:
        """Load a fitted estimator from the folder of a run.

        Parameters
        ----------
        path
            What `save`, `throughtime.fit` or `throughtime train` wrote.
        backend, device
            As in `throughtime.load`.

        Raises
        ------
        NotARun, DamagedModel, DamagedWeights
            There is no run, or it is damaged.
        OtherKindOfRun
            It answers another question.
        """
        kept = Kept.of(path)
        settings, facts = kept.settings(), kept.facts()
        kind: Any = cls  # whose constructor is made of the settings
        found = kind(kept.cell() or kept.document()["model"]["graphs"][0]["cell"])
        found._kept, found._trained = kept, settings
        found._model = kept.model(backend, device)
        found._check_question(path)
        stored = {**settings.to_json(), "backend": backend, "device": device}
        own = facts.get("parameters", {"random_state": settings.seed})
        found.set_params(**{name: stored[name] for name in SETTINGS}, **own)
        found._restore(facts)
        return found

    def _check_question(self, path: str | os.PathLike[str]) -> None:
        question, text = self._model.question, self._kept.document()["data"]["kind"]
        task = "next" if text == "text" else question.task
        several = task == "classify" and len(self._model.schema.targets) > 1
        if task not in self._tasks or question.per != self._per or several:
            tasks = " or ".join(self._tasks)
            raise OtherKindOfRun(
                path=path,
                task=task,
                per=question.per,
                expected=f"{tasks} per {self._per}",
                estimator=type(self).__name__,
            )

    def _facts(self) -> dict[str, Any]:
        """Say what is no part of a run, as JSON can hold it."""
        own = self.get_params(deep=False).keys() - SETTINGS.keys() - {"cell", "out"}
        state = self._given("random_state")
        said = {name: self._given(name) for name in sorted(own)}
        if isinstance(state, np.random.RandomState):
            said["random_state"] = None
        return {
            "estimator": type(self).__name__,
            "parameters": said,
            "rows": getattr(self, "_of_rows", False),
            "n_features_in": getattr(self, "n_features_in_", 1),
        }

    def _restore(self, facts: Mapping[str, Any]) -> None:
        """Set what `_facts` said; where nobody did, as far as the model knows."""
        if not facts:
            self.missing = self._model.reader.missing
        self._of_rows = facts.get("rows", False)
        schema = self._model.schema
        width = len(places_in(schema))
        if schema.items:
            width = len(schema.items[0].categories)
        self.n_features_in_ = facts.get("n_features_in", width)
        self.metrics_, self._optimizer = self._kept.metrics(), None

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_model", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_kept" in state:
            settings = self._trained
            self._model = self._kept.model(settings.backend, self._given("device"))

    def __sklearn_tags__(self) -> Any:
        above: Any = super()
        tags = above.__sklearn_tags__()
        tags.input_tags.allow_nan = getattr(self, "missing", "error") != "error"
        tags.input_tags.three_d_array = True
        return tags


def _weights(sequences: Sequences, given: Any) -> Array | None:
    """Return how much each sequence counts, 1 in the mean."""
    if given is None:
        return None
    weights, expected = np.asarray(given, np.float64), (len(sequences.arrays),)
    if weights.shape != expected or not (weights >= 0).all():
        shape = f"of shape {weights.shape}, from {weights.min(initial=0.0)}"
        raise BadSampleWeight(given=shape, expected=expected)
    if not weights.any():
        raise NothingCounts
    return weights / weights.mean()
