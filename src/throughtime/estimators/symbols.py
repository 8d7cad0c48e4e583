"""What symbol comes next: in a text, or in sequences of symbols."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Self

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from throughtime.data import (
    UNKNOWN,
    Column,
    Dataset,
    FramesInMemory,
    Question,
    Schema,
    SequenceDataset,
    TextDataset,
    encode,
)
from throughtime.data.text import text_card
from throughtime.data.types import FloatArray, IntegerArray, Split
from throughtime.errors import (
    NoSymbols,
    PromptNeeded,
    UnknownPrompt,
)
from throughtime.estimators.base import SequenceEstimator
from throughtime.estimators.datasets import all_of_it, share_of, split_steps
from throughtime.estimators.given_symbols import (
    TEXT,
    blocks_apart,
    check_text,
    listed,
    plain,
)
from throughtime.estimators.parameters import parameters
from throughtime.estimators.sequences import Array
from throughtime.train.metrics import measure
from throughtime.train.sampling import draw
from throughtime.train.tasks import make_task
from throughtime.train.threads import using_threads

_SYMBOL: Final = "symbol"


@parameters(without=("inputs", "missing"))
class SymbolModel(SequenceEstimator):
    """The probability of the next symbol, whatever came before.

    X is a text, of which every character is a symbol; or a list of sequences of
    symbols: texts, or lists of words, numbers, events. A text is learned in parallel
    streams whose state is carried on, sequences each from its beginning. Parameters
    are those of `SequenceClassifier`, but for `inputs` and `missing`. A step of
    `stream` is the place of a symbol in `symbols_`, ``(1,)``.

    Attributes
    ----------
    symbols_ : numpy.ndarray
        `(K,)`, the symbols of the training part; of a text the first, `UNKNOWN`, stands
        for all others.
    """

    _tasks = ("next",)
    _per = "step"

    def fit(self, X: str | Sequence[Any], y: None = None) -> Self:
        """Learn from a text, or from sequences of symbols.

        Parameters
        ----------
        X
            The text, or N sequences.
        y
            Nothing; scikit-learn passes it.
        """
        self._text = isinstance(X, str)
        if isinstance(X, str):
            return self._train(self._learned_text(X))
        sequences = listed(X)
        lengths = np.array([len(one) for one in sequences])
        splits = self._split(split_steps, lengths, True)
        train = {piece[0]: piece[2] for piece in splits["train"].tolist()}
        parts = [sequences[place][:stop] for place, stop in train.items()]
        self.symbols_ = np.unique(np.concatenate([np.asarray(one) for one in parts]))
        self._starts = self._places([one[:1] for one in parts])
        return self._train(self._laid(sequences, splits))

    def score(self, X: str | Sequence[Any], y: None = None) -> float:
        """Give minus the bits per symbol: scikit-learn looks for the highest score.

        It is the mean of log2 of the probability that each symbol had before it came,
        never above 0.

        Parameters
        ----------
        X
            As in `fit`.
        y
            Nothing; scikit-learn passes it.
        """
        return -self.bits_per_symbol(X)

    def bits_per_symbol(self, X: str | Sequence[Any]) -> float:
        """Give the mean of -log2 of the probability of each symbol but the first.

        A symbol that training never saw counts as `UNKNOWN` in a text, and not at all
        in sequences.

        Parameters
        ----------
        X
            As in `fit`.
        """
        one_stream = replace(self._trained, batch_size=1)
        task = make_task(self._asked(X), one_stream)
        with using_threads(self._given("threads")):
            return measure(task, self._model, "test")[task.metric]

    def predict_proba(self, X: str | Sequence[Any]) -> Array:
        """Give the probability of each symbol to come next, ``(N, K)``; of a text one.

        Parameters
        ----------
        X
            As in `fit`.
        """
        check_is_fitted(self, "_kept")
        model, found = self._model, list[Array]()
        for places in self._places([X] if self._text else listed(X)):
            symbols = torch.from_numpy(places)[:, None, None]
            with torch.no_grad(), using_threads(self._given("threads")):
                hidden, _ = model.hidden(symbols)
                logits = model.head.logits(hidden[-1]).double()
            found.append(model.head.activate(logits)[0].cpu().numpy())
        return np.stack(found)

    def predict(self, X: str | Sequence[Any]) -> Array:
        """Give the likeliest symbol to come next, ``(N,)``; of a text one.

        Parameters
        ----------
        X
            As in `fit`.
        """
        return self.symbols_[self.predict_proba(X).argmax(axis=1)]

    def sample(
        self,
        n: int,
        temperature: float = 1.0,
        *,
        prompt: str | Sequence[Any] | None = None,
        random_state: Any = None,
    ) -> Any:
        """Draw symbols, each after those before it.

        Parameters
        ----------
        n
            How many.
        temperature
            Logits are divided by it: below 1 the likely comes more often, at 0 the
            likeliest always comes.
        prompt
            What comes before; it is not drawn again. None: of a text a new line, if it
            has one; sequences begin as in training, which is the first of the n.
        random_state
            Of the drawing.

        Returns
        -------
        str or list
            As in `fit`.
        """
        check_is_fitted(self, "_kept")
        generator = check_random_state(random_state)
        seed, first = int(generator.randint(2**31 - 1)), list[Any]()
        known = self.symbols_.tolist()
        if prompt is None and not self._text:
            if not len(self._starts):
                raise PromptNeeded
            start = self._starts[generator.randint(len(self._starts))]
            first = [known[start[0]]]
        else:
            given = prompt or ("\n" if "\n" in known else known[1])
            start = self._places([given])[0]
            unknown = [one for one in given if one not in known[int(self._text) :]]
            if unknown:
                raise UnknownPrompt(symbols=", ".join(map(repr, unknown)))
        drawn = draw(self._model, start, n, temperature, seed)
        names = {name: place for place, name in enumerate(self._model.labels)}
        symbols = [known[names[name]] for name in drawn]
        symbols = [*first, *symbols][:n]
        return "".join(symbols) if self._text else symbols

    # --------------------------------------------------------------- symbols as data
    def _learned_text(self, text: str) -> TextDataset:
        """Keep blocks of a text apart, spread over all of it.

        Raises
        ------
        TextTooShort, OneSymbolText, NothingToHoldOut
            There is nothing to learn, or too little.
        """
        check_text(text)
        self._draw_seed()
        share = share_of(self._given("validation"))
        train, apart = blocks_apart(text, share)
        known = sorted({text[k] for one in train for k in one})
        self.symbols_ = np.array([UNKNOWN, *known])
        self._starts: list[IntegerArray] = []
        splits: Mapping[Split, tuple[range, ...]] = {
            "train": train,
            "validation": apart,
            "test": (),
        }
        return self._text_of(text, splits)

    def _text_of(
        self, text: str, splits: Mapping[Split, tuple[range, ...]]
    ) -> TextDataset:
        vocabulary = tuple(self.symbols_.tolist())
        symbols, card = encode(text, vocabulary), text_card(text, TEXT, vocabulary)
        return TextDataset(TEXT, symbols, vocabulary, splits, card)

    def _asked(self, X: str | Sequence[Any]) -> Dataset:
        """Make a data set of which everything is asked for."""
        check_is_fitted(self, "_kept")
        if isinstance(X, str) != self._text:
            given, expected = "a text", "a list of sequences, as in training"
            if not isinstance(X, str):
                given, expected = "no text", "a text, as in training"
            raise NoSymbols(given=given, expected=expected)
        if isinstance(X, str):
            everything = (range(len(X)),)
            parts: Mapping[Split, tuple[range, ...]] = {
                "train": everything,
                "validation": everything,
                "test": everything,
            }
            return self._text_of(X, parts)
        sequences = listed(X)
        lengths = np.array([len(one) for one in sequences])
        return self._laid(sequences, all_of_it(lengths))

    def _laid(
        self, sequences: Sequence[Any], splits: Mapping[Split, IntegerArray]
    ) -> SequenceDataset:
        names = tuple(map(str, self.symbols_.tolist()))
        frames: list[FloatArray] = [
            places.astype(np.float32)[:, None] for places in self._places(sequences)
        ]
        return SequenceDataset(
            name="arrays",
            schema=Schema((Column(_SYMBOL, "category", names),)),
            question=Question("next", "step"),
            frames=FramesInMemory(frames),
            keys=[str(place) for place in range(len(frames))],
            splits=splits,
        )

    def _places(self, sequences: Sequence[Any]) -> list[IntegerArray]:
        """Return where each symbol stands among the known ones; -1: it does not."""
        if self._text:
            vocabulary = tuple(self.symbols_.tolist())
            return [encode(one, vocabulary) for one in sequences]
        known = {symbol: place for place, symbol in enumerate(self.symbols_.tolist())}
        return [
            np.array([known.get(symbol, -1) for symbol in plain(one)], np.int64)
            for one in sequences
        ]

    # -------------------------------------------------------------- files and pickle
    def _facts(self) -> dict[str, Any]:
        symbols = self.symbols_
        told = {"values": symbols.tolist(), "dtype": symbols.dtype.str}
        starts = [one.tolist() for one in self._starts]
        return {**super()._facts(), "symbols": told, "starts": starts}

    def _restore(self, facts: Mapping[str, Any]) -> None:
        super()._restore(facts)
        self._text = self._kept.document()["data"]["kind"] == "text"
        told = facts.get("symbols", {"values": self._model.labels, "dtype": None})
        self.symbols_ = np.array(told["values"], dtype=told["dtype"])
        self._starts = [np.array(one) for one in facts.get("starts", [])]
