"""How what a training is asked for gets into another process."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle


class CannotCross(Exception):
    """Something that only lives in this process."""


def packed(asked: Mapping[str, Any]) -> bytes:
    """Turn arguments into bytes, classes that another process cannot import with them.

    Those are of a script, of a notebook, or of a file that was read as a user's cell.

    Raises
    ------
    CannotCross
        Some of it cannot be taken out of this process.
    """
    with _by_value():
        try:
            return cloudpickle.dumps(dict(asked))
        # Whatever an object's own way to be pickled raises.
        except Exception as error:
            raise CannotCross(f"{type(error).__name__}: {error}") from error


def unpacked(content: bytes) -> Any:
    """Turn bytes of `packed`, written by this package's own process, back."""
    return cloudpickle.loads(content)


def search_path() -> list[str]:
    """Where another process looks for modules: as here, and beside users' files."""
    beside = {str(Path(str(one.__file__)).resolve().parent) for one in _foreign()}
    return [*sys.path, *sorted(beside - set(sys.path))]


@contextmanager
def _by_value() -> Iterator[None]:
    modules = _foreign()
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _foreign() -> list[ModuleType]:
    """Modules with a file that `import` would not find by their name."""
    known: dict[str, bool] = {}
    found = []
    for name, module in list(sys.modules.items()):
        top = name.partition(".")[0]
        if top == "__main__" or getattr(module, "__file__", None) is None:
            continue
        if top not in known:
            known[top] = _importable(top)
        if not known[top]:
            found.append(module)
    return found


def _importable(name: str) -> bool:
    finders = [one for one in sys.meta_path if hasattr(one, "find_spec")]
    return any(one.find_spec(name, None) is not None for one in finders)
