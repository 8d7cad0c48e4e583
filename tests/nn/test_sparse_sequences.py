"""Sparse sequences from what people have, and what is refused of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import Tensor

from throughtime.errors import (
    BadFeatureValue,
    BadSparseSteps,
    NoSuchFeature,
    NotSparseSteps,
)
from throughtime.nn import SparseSequences

F = 9
pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")


def written(lengths: list[int]) -> list[np.ndarray]:
    """Sequences ``(T, F)``, mostly 0."""
    random = np.random.default_rng(4)
    made = [random.normal(size=(n, F)) * (random.random((n, F)) < 0.3) for n in lengths]
    return [one.astype(np.float64) for one in made]


def padded(sequences: list[np.ndarray]) -> Tensor:
    tensors = [torch.as_tensor(one) for one in sequences]
    return torch.nn.utils.rnn.pad_sequence(tensors)


def as_lists(one: np.ndarray) -> list[list[tuple[int, float]]]:
    return [[(int(f), float(row[f])) for f in row.nonzero()[0]] for row in one]


def disordered(one: np.ndarray) -> Any:
    """CSR with the features of a step in reverse order, half of a value twice."""
    steps = [row.nonzero()[0][::-1].repeat(2) for row in one]
    values = [row[f] / 2 for row, f in zip(one, steps, strict=True)]
    starts = np.cumsum([0, *map(len, steps)])
    flat = np.concatenate([[], *values]), np.concatenate([[], *steps]).astype(int)
    arrays = *flat, starts
    return scipy.sparse.csr_array(arrays, shape=one.shape)


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "lists": as_lists,
    "scipy CSR": scipy.sparse.csr_matrix,
    "scipy COO": scipy.sparse.coo_array,
    "scipy CSC": scipy.sparse.csc_array,
    "disordered CSR": disordered,
    "torch CSR": lambda one: torch.as_tensor(one).to_sparse_csr(),
    "torch COO": lambda one: torch.as_tensor(one).to_sparse(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form: str) -> None:
    sequences = written([3, 0, 5, 1])
    given = [FORMS[form](one) for one in sequences]
    found = SparseSequences.of(given, F, dtype=torch.float64)
    assert torch.equal(found.to_dense(), padded(sequences))
    assert found.lengths.tolist() == [3, 0, 5, 1]
    assert found.shape == (5, 4, F)
    parts = [found.between(0, 2), found.between(2, 5)]
    assert torch.equal(
        torch.cat([part.to_dense() for part in parts]), padded(sequences)
    )
    assert parts[1].lengths.tolist() == [1, 0, 3, 0]


def test_names_alone_count() -> None:
    found = SparseSequences.of([[[0, 8, 0], []], [[(3, 0.5), 1]]], F)
    expected = torch.zeros(2, 2, F)
    expected[0, 0, 0], expected[0, 0, 8] = 2, 1
    expected[0, 1, 3], expected[0, 1, 1] = 0.5, 1
    assert torch.equal(found.to_dense(), expected)
    names = SparseSequences.of([[[np.int32(4)], torch.tensor([2, 3])]], F)
    assert names.values is None
    assert names.to_dense().nonzero().tolist() == [[0, 0, 4], [1, 0, 2], [1, 0, 3]]


def test_entries_in_the_order_of_their_features() -> None:
    found = SparseSequences.of([as_lists(one) for one in written([3, 5])], F)
    named, dense = found.named, found.to_dense().view(-1, F)
    assert found.values is not None
    counts = named.offsets.diff()
    again = torch.zeros(F, len(dense))
    features = named.features.repeat_interleave(counts)
    again[features, named.rows] = found.values[named.order]
    assert torch.equal(again.T, dense)
    assert torch.equal(named.features, dense.any(0).nonzero().squeeze(1))


def csr(starts: list[int], features: list[int]) -> Tensor:
    ones = torch.ones(len(features))
    arrays = torch.tensor(starts), torch.tensor(features), ones
    return torch.sparse_csr_tensor(
        *arrays, (len(starts) - 1, F), check_invariants=False
    )


NAN = float("nan")


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ([[[0], [1, 9]]], NoSuchFeature, "Step 1 of sequence 0 names feature 9.*to 8"),
        ([[[0]], [[3, -1]]], NoSuchFeature, "Step 0 of sequence 1 names feature -1"),
        ([[[], [(2, NAN)]]], BadFeatureValue, "Step 1 of sequence 0.*feature 2.*nan"),
        ([[[(2, float("inf"))]]], BadFeatureValue, "the value inf"),
        (([0, 2, 1, 3], [1, 2, 3]), BadSparseSteps, "offsets that"),
        (([0, 1, 2], [1, 2, 3]), BadSparseSteps, "sequence 0"),
        (([0, 1], [12]), NoSuchFeature, "feature 12"),
        ([torch.zeros(2, F)], NotSparseSteps, "sequence 0 is a tensor of torch.strid"),
        ([[["word"]]], NotSparseSteps, "Step 0 of sequence 0 is .'word'"),
        ([[[1.5]]], NotSparseSteps, "Step 0 of sequence 0"),
        ([[[(1, 2, 3)]]], NotSparseSteps, "Step 0 of sequence 0"),
        ([[3, 4]], NotSparseSteps, "Step 0 of sequence 0 is 3"),
        (["ab"], NotSparseSteps, "of type str"),
        ([scipy.sparse.eye_array(4)], BadSparseSteps, "of 4 features.*9"),
    ],
)
def test_what_cannot_be(given: Any, kind: type[Exception], words: str) -> None:
    if isinstance(given, tuple):
        given = [csr(*given)]
    with pytest.raises(kind, match=words):
        SparseSequences.of(given, F)


def test_lists_do_not_say_how_many_features_there_are() -> None:
    with pytest.raises(BadSparseSteps, match="input_size is None"):
        SparseSequences.of([[[1]]])
    assert SparseSequences.of([scipy.sparse.eye_array(4)]).input_size == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": torch.tensor([1.0, 2.0])}, "features"),
        ({"values": torch.ones(3)}, "values"),
        ({"values": torch.ones(2, dtype=torch.int64)}, "values"),
        ({"offsets": torch.tensor([0, 2, 1])}, "offsets"),
        ({"offsets": torch.tensor([0, 1, 1])}, "offsets"),
        ({"lengths": torch.tensor([3])}, "lengths"),
        ({"lengths": torch.tensor([1, 1, 1])}, "offsets"),
    ],
    ids=str,
)
def test_arrays_that_do_not_belong_together(change: Any, words: str) -> None:
    arrays: dict[str, Any] = {
        "features": torch.tensor([1, 2]),
        "offsets": torch.tensor([0, 1, 2]),
        "lengths": torch.tensor([2]),
        "input_size": F,
    }
    SparseSequences(**arrays)
    with pytest.raises(BadSparseSteps, match=words):
        SparseSequences(**{**arrays, **change})
