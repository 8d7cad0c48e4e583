"""Lists of sparse matrices: steps that name columns."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array, csr_array, random_array

from tests.data.events import matrix
from tests.data.tables import dataset_of
from throughtime import errors
from throughtime.data import Reading, SequenceDataset, read_like


def matrices(count: int = 40) -> list[csr_array]:
    made = [
        random_array((1 + k % 4, 30), density=0.15, rng=k, format="csr")
        for k in range(count)
    ]
    made[3] = csr_array((2, 30))  # names nothing
    return made


ANSWERS = np.arange(40) % 2


def assert_holds(dataset: SequenceDataset, given: list[csr_array]) -> None:
    assert dataset.items is not None
    names = [int(name) for name in dataset.schema.items[0].categories]
    for place, key in enumerate(dataset.keys):
        expected = given[int(key)].toarray()
        found = matrix(dataset.items, place, 0, len(expected))
        np.testing.assert_allclose(found, expected[:, names])


def in_torch(one: csr_array) -> torch.Tensor:
    return torch.tensor(one.toarray()).to_sparse_csr()


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.parametrize(
    "form",
    [csr_array, coo_array, in_torch, lambda one: in_torch(one).to_sparse_coo()],
    ids=["csr", "coo", "torch csr", "torch coo"],
)
def test_steps_name_the_columns_of_their_rows(form: Any) -> None:
    given = matrices()
    dataset = dataset_of([form(one) for one in given], target=ANSWERS)
    assert dataset.question.per == "sequence"
    assert_holds(dataset, given)
    truth = [int(dataset.frames.read(k, 0, 1)[0, -1]) for k in range(40)]
    categories = [int(name) for name in dataset.schema.targets[0].categories]
    assert [categories[place] for place in truth] == [
        int(ANSWERS[int(key)]) for key in dataset.keys
    ]


def test_answers_may_be_per_step() -> None:
    given = matrices()
    answers = [np.arange(one.shape[0]) % 2 for one in given]
    dataset = dataset_of(given, target=answers)
    assert dataset.question.per == "step"
    assert_holds(dataset, given)


def test_new_matrices_are_read_as_those_of_training() -> None:
    given = matrices()
    dataset = dataset_of(given, target=ANSWERS)
    schema, question = dataset.schema, dataset.question
    assert_holds(read_like(given[:5], schema, question).dataset, given)
    said = Reading(target=ANSWERS[:5])
    new = read_like(given[:5], schema, question, said, targets=True)
    assert len(new.dataset.keys) == 5


def test_values_that_training_knew_nothing_of_are_refused() -> None:
    ones = [csr_array(one.astype(bool).astype(float)) for one in matrices()]
    dataset = dataset_of(ones, target=ANSWERS)
    schema = dataset.schema
    alone = type(schema)(schema.features, schema.targets, items=schema.items[:1])
    assert_holds(read_like(ones, alone, dataset.question).dataset, ones)
    with pytest.raises(errors.SchemaMismatch, match="other values than 1"):
        read_like(matrices(), alone, dataset.question)


def test_other_matrices_are_refused() -> None:
    given = matrices()
    mixed = [*given[:5], given[5].toarray()]
    for wrong in (mixed, [*given, csr_array((2, 7))], [*given, csr_array((0, 30))]):
        with pytest.raises(errors.BadArrays):
            dataset_of(wrong, target=np.zeros(len(wrong)))
    with pytest.raises(errors.TargetShapeMismatch):
        dataset_of(given, target=ANSWERS[:3])
    given[0].data[:1] = np.nan
    with pytest.raises(errors.ValueMissing, match="step 1 of all"):
        dataset_of(given, target=ANSWERS)
    given[0].data[:1] = np.inf
    with pytest.raises(errors.InfiniteValue):
        dataset_of(given, target=ANSWERS)
    damaged = matrices()
    damaged[1].indices[0] = -1
    with pytest.raises(errors.BadArrays, match="damaged"):
        dataset_of(damaged, target=ANSWERS)
