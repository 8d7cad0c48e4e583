"""`--devices N --nodes M`: the same command in several processes.

What is started here is what `torchrun` would start: each process finds its rank, the
number of all and where they meet in its environment. This one waits, passes on Ctrl-C
and Ctrl-Z, and when a process ends too early it ends the others and says why. It loads
no torch.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from typing import IO, Any, Final, TypeVar

import rich_click as click

from throughtime.errors import (
    BadMaster,
    NumberOutOfRange,
    RankEnded,
    RankLost,
    StartedAlready,
    UnusedSetting,
)

Command = TypeVar("Command", bound=Callable[..., Any])

_PANEL: Final = "Several processes"
# Tells a process that this module has started it, and waits for it.
_STARTED: Final = "THROUGHTIME_STARTED"
# The exit code of a process that has nothing to say but that another one is gone.
_LOST: Final = 75
# Seconds: for the others to say what they have to say, and then to end.
_LAST_WORDS: Final = 3.0
_PATIENCE: Final = 5.0
_LOOK: Final = 0.05


def several(command: Command) -> Command:
    """Add how many processes learn together, and where."""
    for option in (
        click.option(
            "--master",
            metavar="HOST:PORT",
            panel=_PANEL,
            help="Where the machine of --node-rank 0 is reached by the others.",
        ),
        click.option(
            "--node-rank",
            type=int,
            panel=_PANEL,
            help="Which of the machines this is, from 0.",
        ),
        click.option(
            "--nodes",
            type=int,
            panel=_PANEL,
            help="Machines; the command is given on each of them.  [default: 1]",
        ),
        click.option(
            "--devices",
            type=int,
            panel=_PANEL,
            help="Processes of this machine, each with its share of every batch; with "
            "--device cuda one for each GPU.  [default: 1]",
        ),
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class Processes:
    """How many processes there are, and which of them are on this machine.

    Raises
    ------
    NumberOutOfRange, UnusedSetting, BadMaster, StartedAlready
        They cannot be started so.
    """

    devices: int | None
    nodes: int | None
    node_rank: int | None
    master: str | None

    def __post_init__(self) -> None:
        self._check_alone()
        for argument in ("devices", "nodes"):
            given = getattr(self, argument)
            if given is not None and given < 1:
                _refuse(argument, given, "a whole number of at least 1")
        if (self.nodes or 1) == 1:
            for argument in ("node_rank", "master"):
                given = getattr(self, argument)
                if given is not None:
                    raise UnusedSetting(
                        argument=argument, given=given, reason="a single machine"
                    )
            return
        if self.node_rank is None or not 0 <= self.node_rank < (self.nodes or 1):
            last = (self.nodes or 1) - 1
            _refuse("node_rank", self.node_rank, f"a whole number from 0 to {last}")
        host, _, port = (self.master or "").rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 2**16:
            raise BadMaster(given=self.master, nodes=self.nodes)

    @classmethod
    def pop(cls, options: dict[str, Any]) -> "Processes":
        """Take what was said of processes out of all options.

        In a process that is one of several already, what was said is done.
        """
        names = [entry.name for entry in fields(cls)]
        said = {name: options.pop(name) for name in names}
        return cls(None, None, None, None) if _STARTED in os.environ else cls(**said)

    @property
    def here(self) -> int:
        """How many are started on this machine."""
        return self.devices or 1

    @property
    def world(self) -> int:
        """How many there are on all machines."""
        return self.here * (self.nodes or 1)

    def environments(self) -> Iterator[dict[str, str]]:
        """Tell each process of this machine what `torchrun` would tell it."""
        host, _, port = (self.master or f"127.0.0.1:{_free_port()}").rpartition(":")
        before = self.here * (self.node_rank or 0)
        for place in range(self.here):
            yield {
                "RANK": str(before + place),
                "LOCAL_RANK": str(place),
                "WORLD_SIZE": str(self.world),
                "LOCAL_WORLD_SIZE": str(self.here),
                "MASTER_ADDR": host,
                "MASTER_PORT": port,
                _STARTED: "1",
            }

    def _check_alone(self) -> None:
        world = os.environ.get("WORLD_SIZE", "1")
        for argument in ("devices", "nodes", "node_rank", "master"):
            given = getattr(self, argument)
            if world != "1" and given is not None:
                rank = os.environ.get("RANK", "?")
                raise StartedAlready(
                    argument=argument, given=given, rank=rank, world=world
                )


def start(words: Sequence[str], processes: Processes) -> None:
    """Run a command in all processes of this machine, and wait until they have ended.

    Raises
    ------
    RankEnded, RankLost
        A process was ended from outside, here or on another machine.
    """
    with ExitStack() as stack:
        started: list[_Started] = []
        stack.enter_context(_passing_on(started))
        for environment in processes.environments():
            said = stack.enter_context(tempfile.TemporaryFile())
            one = _start(words, environment, said)
            stack.callback(one.end)
            started.append(one)
        _wait(started)
        _judge(started, processes.world)


@contextmanager
def one_of_several() -> Iterator[bool]:
    """Be one of the processes that `start` starts, if it is so.

    Yields
    ------
    bool
        Whether this process prints what came out.
    """
    if _STARTED in os.environ:
        _end_with_parent()
    try:
        alone = os.environ.get("WORLD_SIZE", "1") == "1"
        yield alone or os.environ.get("RANK", "0") == "0"
    except RankLost:
        if _STARTED not in os.environ:
            raise
        sys.exit(_LOST)  # who started this one knows more


@dataclass
class _Started:
    """A process; all but the first say what they say into a file."""

    rank: int
    process: subprocess.Popen[bytes]
    said: IO[bytes]

    @property
    def code(self) -> int | None:
        return self.process.poll()

    def failed(self) -> bool:
        return self.code not in (None, 0)

    def end(self) -> None:
        """End it, and leave nothing behind."""
        self.process.terminate()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _start(
    words: Sequence[str], environment: dict[str, str], said: IO[bytes]
) -> _Started:
    rank = int(environment["RANK"])
    process = subprocess.Popen(
        [sys.executable, "-m", "throughtime", *words],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,  # it closes with this process, whatever ends it
        stdout=None if rank == 0 else subprocess.DEVNULL,
        stderr=None if rank == 0 else said,
        process_group=0,  # Ctrl-C comes from here alone
    )
    return _Started(rank, process, said)


def _wait(started: Sequence[_Started]) -> None:
    """Wait until all have ended, or for a while after one has failed."""
    until = float("inf")
    while any(one.code is None for one in started) and time.monotonic() < until:
        if until == float("inf") and any(one.failed() for one in started):
            until = time.monotonic() + _LAST_WORDS
        time.sleep(_LOOK)


def _judge(started: Sequence[_Started], world: int) -> None:
    """Say what went wrong, if nobody has; those who lost another one know nothing."""
    failed = [one for one in started if one.failed()]
    causes = [one for one in failed if one.code != _LOST]
    if not failed:
        return
    if not causes:
        raise RankLost(world=world, reason="it was on another machine")
    speakers = [one for one in causes if (one.code or 0) > 0]
    if not speakers:
        ended = causes[0]
        name = signal.Signals(-(ended.code or 0)).name
        raise RankEnded(rank=ended.rank, world=world, signal=name)
    speakers[0].said.seek(0)  # of the first process it is empty: it spoke itself
    click.echo(speakers[0].said.read(), nl=False, err=True)
    sys.exit(speakers[0].code)


@contextmanager
def _passing_on(started: Sequence[_Started]) -> Iterator[None]:
    """Pass Ctrl-C and Ctrl-Z on to all processes; they know what to do."""

    def pass_on(number: int) -> None:
        for one in started:
            if one.code is None:
                one.process.send_signal(number)

    def interrupt(*_: object) -> None:
        pass_on(signal.SIGINT)

    def stop(*_: object) -> None:
        pass_on(signal.SIGSTOP)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)  # here this process stands still
        signal.signal(signal.SIGTSTP, stop)
        pass_on(signal.SIGCONT)

    def terminate(*_: object) -> None:
        sys.exit(128 + signal.SIGTERM)  # and the processes are ended on the way

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {
        signal.SIGINT: interrupt,
        signal.SIGTERM: terminate,
        signal.SIGTSTP: stop,
    }
    before = {n: signal.signal(n, handler) for n, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with_parent() -> None:
    """End this process as soon as the one that started it is gone."""

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)  # nothing is ever written there
        os._exit(_LOST)

    threading.Thread(target=watch, daemon=True).start()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _refuse(argument: str, given: object, expected: str) -> None:
    raise NumberOutOfRange(argument=argument, given=given, expected=expected)
