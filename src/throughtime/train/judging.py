"""How good the model of a run is: on its own data, or on new ones."""

from typing import Any

from throughtime.data import (
    Dataset,
    Reading,
    SequenceDataset,
    TextDataset,
    encode,
    naive_error,
    read_like,
    read_text,
)
from throughtime.data.loading import bundled_text, is_bundled
from throughtime.data.text import text_card
from throughtime.data.types import FloatArray
from throughtime.errors import (
    DataChanged,
    DataMoved,
    DataOfMemory,
    NotAText,
    NothingToMeasure,
)
from throughtime.train.measuring import Evaluation, evaluate
from throughtime.train.model import Model
from throughtime.train.runs import Run
from throughtime.train.tasks import make_task


def judge(run: Run, split: str = "test", *, data: Any = None) -> list[Evaluation]:
    """Measure the best weights of a run, with a confidence interval and a picture.

    Parameters
    ----------
    run
        The run.
    split
        Which part of the data of the training.
    data
        New data instead, as `fit` takes them, the truth included: all of them are
        measured. Arrays have their truth beside them in what `throughtime.data.read`
        makes of both.

    Returns
    -------
    list of Evaluation
        One; where several columns are classified, one for each.

    Raises
    ------
    ThroughtimeError
        The data cannot be used; the message says why and what to do.
    """
    model = run.model
    if data is None:
        dataset, answers = run.dataset, run.answers(split)
    else:
        dataset = new_data(run, data)
        answers = make_task(dataset, run.settings).predict(model, "test")
        if not all(len(one.outputs) for one in answers):
            raise NothingToMeasure(source=dataset.name)
    scale = _scale(run, needed=data is None)
    found: list[Evaluation] = []
    for (name, labels), predicted in zip(_asked(model), answers, strict=True):
        found.append(
            evaluate(
                model.question,
                predicted,
                labels,
                title=f"{run.cell} on {dataset.name}",
                training=scale,
                symbol="character" if run.of_text else "symbol",
                target=name,
            )
        )
    return found


def _scale(run: Run, *, needed: bool) -> FloatArray | None:
    """Return what errors of a forecast are compared with, from the training part.

    New data can be measured without that one metric where those of the training are
    gone; it is then said to be left out.
    """
    if run.model.question.task != "forecast":
        return None
    try:
        dataset = run.dataset
    except (DataMoved, DataChanged, DataOfMemory):
        if needed:
            raise
        return None
    assert isinstance(dataset, SequenceDataset)
    return naive_error(dataset)


def new_data(run: Run, data: Any) -> Dataset:
    """Read new data, targets included, as the data of a training were read."""
    if run.of_text:
        return _new_text(data, run.model.labels)
    schema, question = run.model.schema, run.model.question
    reading = Reading(
        target=None if isinstance(data, str) else run.reading.target,
        missing=run.model.reader.missing,
        memory=run.reading.memory,
    )
    return read_like(data, schema, question, reading, targets=True).dataset


def _new_text(path: Any, vocabulary: tuple[str, ...]) -> TextDataset:
    text = bundled_text(path) if is_bundled(path) else read_text(path)
    if text is None:
        raise NotAText(source=path)
    everything = (range(len(text)),)
    return TextDataset(
        name=str(path),
        symbols=encode(text, vocabulary),
        vocabulary=vocabulary,
        splits={"train": everything, "validation": everything, "test": everything},
        card=text_card(text, str(path), vocabulary),
    )


def _asked(model: Model) -> list[tuple[str | None, tuple[str, ...]]]:
    """Name what each group of answers is about, and what its numbers stand for."""
    columns = model.output.columns
    if model.question.task == "classify":
        several = len(columns) > 1
        return [(c.name if several else None, c.categories) for c in columns]
    if columns[0].kind == "category":
        return [(None, columns[0].categories)]
    return [(None, tuple(column.name for column in columns))]
