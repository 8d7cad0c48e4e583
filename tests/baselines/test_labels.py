"""Labels of the next step: by hand, and beside what the card of the chorales says."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from throughtime.baselines import KeyChain, Marginal
from throughtime.data import SequenceDataset, load
from throughtime.data.types import Split
from throughtime.errors import FeatureCountMismatch, NoLabels


def test_shares_by_hand() -> None:
    X = [np.array([[1, 0], [1, 1], [0, 1]]), np.array([[0, 0], [1, 0]])]
    # Of three next steps label 0 is true in two, label 1 in two; one is added to both.
    model = Marginal().fit(X)
    np.testing.assert_allclose(model.shares_, [3 / 5, 3 / 5])
    expected = -(np.log(3 / 5) * 4 + np.log(2 / 5) * 2) / 3
    assert model.nats_per_frame(X) == pytest.approx(expected, rel=1e-12)
    chain = KeyChain().fit(X)
    # After a step without label 0: 1 of 1; with it: 1 of 2. Label 1: 1 of 2; 1 of 1.
    np.testing.assert_allclose(chain.shares_, [[2 / 3, 2 / 4], [2 / 4, 2 / 3]])
    shares = chain.predict_proba(X)
    np.testing.assert_allclose(shares[0][0], [2 / 4, 2 / 4])
    assert chain.predict(X)[1].tolist() == [[1, 1], [1, 1]]
    assert chain.score(X) == -chain.nats_per_frame(X)
    assert clone(chain).fit(X).score(X) == chain.score(X)


def test_the_card_of_the_chorales_is_met() -> None:
    dataset = load("chorales")
    assert isinstance(dataset, SequenceDataset)

    def pieces(*parts: Split) -> list[np.ndarray]:
        return [one for part in parts for one in dataset.read(part)]

    for model, name in ((Marginal(), "marginal"), (KeyChain(), "first-order chain")):
        model.fit(pieces("train", "validation"))
        told = dataset.card.baselines[name]
        assert model.nats_per_frame(pieces("test")) == pytest.approx(told, abs=5e-5)
    scores = cross_val_score(KeyChain(), pieces("train"), cv=3)
    assert np.all(scores < -9)


def test_what_are_no_labels_is_refused() -> None:
    for given in ([np.array([[0, 2]] * 3)], [np.array([[0.5, 1]] * 3)]):
        with pytest.raises(NoLabels, match="0 and 1"):
            Marginal().fit(given)
    model = KeyChain().fit([np.eye(2)])
    with pytest.raises(NoLabels, match="two"):
        model.score([np.eye(2)[:1]])
    with pytest.raises(FeatureCountMismatch):
        model.predict([np.eye(3)])
