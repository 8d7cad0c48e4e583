"""A process that trains one seed, for the process that has started it."""

import os
import sys
import threading
from pathlib import Path
from typing import Any

import cloudpickle

from throughtime.train.restarting.crossing import unpacked


def main(asked: str, answer: str, own: dict[str, Any]) -> None:
    """Train as it is asked, and write down what was raised, or None.

    Parameters
    ----------
    asked
        The path of the arguments that all seeds have.
    answer
        The path to write to.
    own
        The arguments of this seed.
    """
    from throughtime.train.fitting import fit

    threading.Thread(target=_end_with_parent, daemon=True).start()
    raised: BaseException | None = None
    try:
        fit(**{**unpacked(Path(asked).read_bytes()), **own})
    except BaseException as error:
        raised = error
    part = Path(f"{answer}.part")
    part.write_bytes(cloudpickle.dumps(raised))
    part.replace(answer)


def _end_with_parent() -> None:
    sys.stdin.buffer.read(1)  # nothing is ever written there
    os._exit(1)
