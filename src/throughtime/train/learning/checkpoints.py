"""A training in one file, to go on from.

It holds tensors, numbers and texts: to read it runs no code.
"""

import io
import os
import pickle
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from torch import Tensor

from throughtime.errors import DamagedCheckpoint, ResumesOther
from throughtime.train.files.folder import write
from throughtime.train.files.storage import one_line
from throughtime.train.ranks import ALONE, Ranks

VERSION: Final = 4
MACHINE: Final = "machine"

# What each rank has of its own of a loop; all else is the same on all ranks.
_OWN = ("training", "epoch", "begun")


class Resumable(Protocol):
    """What has a state that can be taken up again."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where the state was taken."""


def write_checkpoint(path: Path, loop: dict[str, Any], ranks: Ranks = ALONE) -> None:
    """Write the state of a loop and of all generators, whole or not at all.

    Several ranks call it together; the first writes what belongs to each.

    Raises
    ------
    CannotWrite
        The system does not let us; the last checkpoint is whole.
    """
    own = {
        "loop": {name: loop[name] for name in _OWN},
        "random": torch.get_rng_state(),
        "random_cuda": _random_of_gpus(),
        "threads": torch.get_num_threads(),
        MACHINE: machine(),
    }
    parts = [own]
    if not ranks.alone:
        parts = [_unpacked(part) for part in ranks.gather_first(_packed(own))]
    if not ranks.first:
        return
    common = {name: value for name, value in loop.items() if name not in _OWN}
    state = {"version": VERSION, "loop": common, "ranks": parts}
    write(path, _packed(state))


def read_checkpoint(path: Path, ranks: Ranks = ALONE) -> dict[str, Any]:
    """Read what `write_checkpoint` wrote of one rank; the first reads it for all.

    Raises
    ------
    DamagedCheckpoint
        It is none.
    ResumesOther
        It is of another number of processes.
    """
    found = ranks.from_first(lambda: _read(path))
    try:
        parts, common = found["ranks"], found["loop"]
        if len(parts) == ranks.world:
            own = parts[ranks.rank]
            return {**own, "loop": {**common, **own["loop"]}}
    except (KeyError, TypeError) as error:
        raise DamagedCheckpoint(path=path, reason=one_line(error)) from None
    raise ResumesOther(
        argument="processes", given=ranks.world, was=len(parts), path=path.parent
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as e:
        raise DamagedCheckpoint(path=path, reason=one_line(e)) from None
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise DamagedCheckpoint(path=path, reason=f"it is not of version {VERSION}")
    return found


def restore(path: Path, checkpoint: dict[str, Any], loop: Resumable) -> None:
    """Let a loop, and all generators, go on from a checkpoint.

    Raises
    ------
    DamagedCheckpoint
        It is not of this training.
    """
    try:
        loop.load_state_dict(checkpoint["loop"])
        torch.set_rng_state(checkpoint["random"])
        # Where there are fewer GPUs, none of the others is used.
        count = torch.cuda.device_count()
        for place, state in enumerate(checkpoint["random_cuda"][:count]):
            torch.cuda.set_rng_state(state, place)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DamagedCheckpoint(path=path, reason=one_line(error)) from None


def _random_of_gpus() -> list[Tensor]:
    """Give the state of each GPU's generator; to a training on the CPU they are none.

    To ask for one would take memory of a GPU.
    """
    used = torch.cuda.is_initialized()
    return torch.cuda.get_rng_state_all() if used else []


def _packed(state: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    torch.save(state, content)
    return content.getvalue()


def _unpacked(content: bytes) -> dict[str, Any]:
    # What was on the GPU of another process has no place on that of this one.
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def machine() -> str:
    """Name what bits depend on, beside the number of threads."""
    versions = {name: version(name) for name in ("throughtime", "llvmlite")}
    versions["PyTorch"] = torch.__version__
    told = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"{told} for {torch.backends.cpu.get_cpu_capability()}"


def hardware() -> str:
    """Name the processor of this machine, how many cores it has, and the system."""
    listed = Path("/proc/cpuinfo")  # Linux; elsewhere Python knows the name
    lines = listed.read_text(encoding="utf-8") if listed.exists() else ""
    named = re.search(r"^model name\s*:\s*(.+)$", lines, re.MULTILINE)
    name = named[1] if named else platform.processor() or platform.machine()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_initialized() else ""
    return f"{name}, {os.cpu_count()} cores{gpu}, {platform.system()}"
