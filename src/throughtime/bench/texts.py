"""Character by character: the next character of a text, in bits.

`shakespeare` is the bundled million characters: 20 blocks in turn, 18 of them training,
one validation, one test. `text` is a text of your own from a path: its first 90 % are
learned from, the next 5 % say what to keep, the last 5 % are the test.

What is measured are the bits per character of the test, which is one stream: every
character but the first, from all those before it. A Markov chain of the right order is
what a recurrent network must beat: an interpolated Kneser–Ney model on the same parts,
its order chosen on validation. Of a text of your own it is counted first.
"""

import math
from typing import Final

from throughtime.baselines import NGram
from throughtime.bench.comparing.examples import text_of
from throughtime.bench.running.fitted import learn
from throughtime.bench.running.task import Asked, Known, Measure, Reached, Recipe, Task
from throughtime.data import TextDataset
from throughtime.data.text import read_text, text_dataset


def _learn_bundled(asked: Asked) -> Reached:
    return learn("shakespeare", asked, "bits_per_character")


def _learn_own(asked: Asked) -> Reached:
    assert asked.path is not None, "asked for before"
    dataset = text_dataset(read_text(asked.path), asked.path, split="time")
    floor = kneser_ney(dataset)
    reached = learn(dataset, asked, "bits_per_character")
    return reached._replace(floors=(floor,))


def kneser_ney(dataset: TextDataset, longest: int = 8) -> Known:
    """Measure the best chain of a text: counted, chosen, and measured on its parts.

    Parameters
    ----------
    dataset
        The text.
    longest
        The largest n of the n-grams that are tried.
    """
    train, validation, test = (
        text_of(dataset, part) for part in ("train", "validation", "test")
    )
    chain = NGram(max_order=longest).fit(train, validation_data=validation)
    method = f"Kneser–Ney {chain.order_}-gram of the same text"
    return Known(method, chain.bits_per_symbol(test))


_KNESER_NEY = 2.0449
_PTB = "Bai, Kolter & Koltun 2018, Penn Treebank"
_MIKOLOV = "Mikolov et al. 2012, Penn Treebank"
_PUBLISHED = (
    Known("LSTM", 1.36, _PTB),
    Known("GRU", 1.37, _PTB),
    Known("tanh RNN", 1.48, _PTB),
    Known("TCN", 1.31, _PTB),
    Known("8-gram", 1.48, _MIKOLOV),
    Known("maximum entropy 15-gram", 1.37, _MIKOLOV),
    Known("tanh RNN", 1.42, _MIKOLOV),
)
_RECIPE = Recipe(
    cell="lstm",
    hidden_size=256,
    num_layers=1,
    init="default",
    learning_rate=3e-3,
    clip=1.0,
    batch_size=32,
    epochs=8,
    patience=3,
    steps=64,
)

SHAKESPEARE: Final = Task(
    name="shakespeare",
    title="the next character of a million by Shakespeare",
    definition=__doc__ or "",
    measure=Measure("bits per character", _KNESER_NEY),
    floors=(
        Known("each character by its share", 4.8501),
        Known("Kneser–Ney 6-gram", _KNESER_NEY),
    ),
    published=_PUBLISHED,
    recipe=_RECIPE,
    learn=_learn_bundled,
)
TEXT: Final = Task(
    name="text",
    title="the next character of a text of your own",
    definition=__doc__ or "",
    measure=Measure("bits per character", math.inf),
    floors=(),
    published=_PUBLISHED,
    recipe=_RECIPE,
    learn=_learn_own,
    data="a text",
)
