"""Trainings in processes of their own, some at a time."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from throughtime.errors import RestartEnded
from throughtime.train.files.folder import METRICS
from throughtime.train.interruption import Interruption
from throughtime.train.restarting.crossing import search_path, unpacked

# Seconds between two looks at the processes, and until one that is to end is killed.
_LOOK: Final = 0.05
_PATIENCE: Final = 5.0
_CODE: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from throughtime.train.restarting.child import main; "
    "main(*sys.argv[2:4], json.loads(sys.argv[4]))"
)

Ended = tuple[int, BaseException | None]
"""A seed, and what its training raised."""


@dataclass
class _Training:
    """A process that trains a seed."""

    seed: int
    room: Path
    answer: Path
    process: subprocess.Popen[bytes]
    shown: int = field(default=0)

    def news(self) -> Iterator[str]:
        """Say the epochs that were not said yet."""
        try:
            lines = (self.room / METRICS).read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines[self.shown :]:
            row = json.loads(line)
            yield (
                f"seed {self.seed}  epoch {row['epoch']:>3}  loss {row['loss']:.4f}  "
                f"validation loss {row['validation_loss']:.4f}"
                + ("  best" if row["best"] else "")
            )
        self.shown = len(lines)

    def raised(self, interrupted: bool) -> BaseException | None:
        """Give what an ended training raised.

        Raises
        ------
        RestartEnded
            Its process was ended before it could say so.
        """
        if self.answer.is_file():
            return unpacked(self.answer.read_bytes())
        if interrupted:  # before it could learn anything
            return KeyboardInterrupt()
        code = self.process.returncode
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise RestartEnded(seed=self.seed, how=how)

    def end(self) -> None:
        """End it, and leave nothing behind."""
        self.process.terminate()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


def train_beside(
    asked: bytes,
    own: Mapping[int, dict[str, Any]],
    at_a_time: int,
    interruption: Interruption,
    say: Callable[[str], None],
) -> Iterator[Ended]:
    """Train all seeds, some at a time, each in a process of its own.

    Ctrl-C is passed on once: trainings end soon and keep what they have, and no other
    one begins. However this ends, no process is left.

    Parameters
    ----------
    asked
        What all trainings are asked for, packed.
    own
        What only that of a seed is asked for; its `out` is where it writes.
    at_a_time
        How many go on at the same time.
    interruption
        Whether the person has asked to stop.
    say
        Shows a line.

    Raises
    ------
    RestartEnded
        A process was ended from outside.
    """
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (place / "asked").write_bytes(asked)
        waiting, running, told = list(own), list[_Training](), False
        while running or (waiting and not interruption.wanted):
            while waiting and len(running) < at_a_time and not interruption.wanted:
                seed = waiting.pop(0)
                running.append(_start(seed, own[seed], place))
                stack.callback(running[-1].end)
            if interruption.wanted and not told:
                _pass_on(running)
                told = True
            time.sleep(_LOOK)
            for one in list(running):
                ended = one.process.poll() is not None
                for line in one.news():
                    say(line)
                if ended:
                    running.remove(one)
                    yield one.seed, one.raised(interruption.wanted)


def _start(seed: int, own: dict[str, Any], place: Path) -> _Training:
    answer = place / f"answer-{seed}"
    words = [json.dumps(search_path()), str(place / "asked"), str(answer)]
    process = subprocess.Popen(
        [sys.executable, "-c", _CODE, *words, json.dumps(own)],
        stdin=subprocess.PIPE,  # it closes with this process, whatever ends it
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,  # Ctrl-C comes from here alone
    )
    return _Training(seed, Path(own["out"]), answer, process)


def _pass_on(running: Sequence[_Training]) -> None:
    for one in running:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGINT)
