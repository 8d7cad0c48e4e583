"""Errors about data: one family, whole after pickling, one sentence each."""

import pickle
import re
from string import Formatter

import pytest

from throughtime import errors
from throughtime.errors import DataError, ThroughtimeError

KINDS = sorted(DataError.__subclasses__(), key=lambda kind: kind.__name__)


def example(kind: type[DataError]) -> DataError:
    fields = {name for _, name, _, _ in Formatter().parse(kind.message) if name}
    return kind(**{name: f"<{name}>" for name in fields})


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_public_and_says_cause_and_cure_in_one_sentence(
    kind: type[DataError],
) -> None:
    assert getattr(errors, kind.__name__) is kind
    assert kind.__name__ in errors.__all__
    message = str(example(kind))
    cause, cure = message.rsplit(": ", 1)
    assert cause
    assert re.search(r"\b(give|pass|check|save|decode|fill|train)\b", cure)
    assert message.endswith(".")
    assert ". " not in message


@pytest.mark.parametrize("kind", KINDS)
def test_each_survives_pickle_whole(kind: type[DataError]) -> None:
    error = example(kind)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (str(copy), copy.facts) == (str(error), error.facts)


def test_there_is_one_root() -> None:
    assert len(KINDS) > 40
    assert issubclass(DataError, ThroughtimeError)
    assert issubclass(DataError, ValueError)
