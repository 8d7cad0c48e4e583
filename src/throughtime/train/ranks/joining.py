"""How a process meets the others of its training."""

import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import torch
import torch.distributed as dist

from throughtime.errors import DeviceMissing, NotShared
from throughtime.train.ranks.ranks import ALONE, Ranks, lost
from throughtime.train.ranks.watching import Watch

# For all to come.
_GATHERING: Final = timedelta(minutes=10)
# Once they are here, for one that is slow, or while all are stopped: the end of a
# process is noticed at once, and a silent one by the watch.
_LONGEST_WAIT: Final = timedelta(days=7)
# Linux's number for "which address has this network".
_ADDRESS_OF: Final = 0x8915


@contextmanager
def joined(device: object = "cpu") -> Iterator[Ranks]:
    """Be with the other processes of this training, if there are any, for a while.

    They are known by the environment that `torchrun` sets up, or by a process group
    that exists already. A group that is made here lives as long as the process, and so
    long `"cuda"` stands for the GPU that this one has taken.

    Parameters
    ----------
    device
        Where this training computes; of `"cuda"` each process takes a GPU of its own.

    Raises
    ------
    RankLost
        The others cannot be reached.
    NotShared, DeviceMissing
        There is no GPU for each process of this machine.
    """
    world = _world()
    if world == 1:
        yield ALONE
        return
    cuda = str(device).startswith("cuda")
    if cuda and str(device) != "cuda":
        raise NotShared(
            argument="device",
            given=str(device),
            world=world,
            expected="'cuda', of which each takes a GPU of its own",
        )
    if not dist.is_initialized():
        _meet(world)
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    group = dist.new_group(backend=backend, timeout=_LONGEST_WAIT)
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    ranks = Ranks(dist.get_rank(), world, here, group)
    with Watch(_store_of(group), ranks.rank, world).kept():
        if cuda:
            _take_gpu(ranks)
        yield ranks


def _world() -> int:
    """Count the processes."""
    if not dist.is_available():
        return 1
    if dist.is_initialized():
        return dist.get_world_size()
    return int(os.environ.get("WORLD_SIZE", "1"))


def _meet(world: int) -> None:
    master, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    name = _network_to(master, port) if master and port else None
    if name is not None:
        # By itself gloo takes the address of the host's name, which may lead nowhere.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
    try:
        dist.init_process_group("gloo", timeout=_GATHERING)
    except (RuntimeError, ValueError) as error:
        raise lost(world, error) from error


def _store_of(group: Any) -> Any:
    """Give what all processes write to, a part of it for this group alone."""
    # Loaded here: not every PyTorch has it.
    from torch.distributed.distributed_c10d import _get_default_store

    return dist.PrefixStore(f"throughtime/{group.group_name}", _get_default_store())


def _network_to(host: str, port: str) -> str | None:
    """Name the network of this machine by which a host is reached, if Linux says it."""
    if sys.platform != "linux":
        return None
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, int(port)))  # nothing is sent
        except (OSError, ValueError):
            return None
        own = probe.getsockname()[0]
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode())
            try:
                answer = fcntl.ioctl(probe, _ADDRESS_OF, request)
            except OSError:
                continue  # a network without an address
            if socket.inet_ntoa(answer[20:24]) == own:
                return name
    return None


def _take_gpu(ranks: Ranks) -> None:
    """Make this process's own GPU what `"cuda"` stands for."""
    places = list(range(torch.cuda.device_count()))
    names = [str(torch.cuda.get_device_properties(place).uuid) for place in places]
    # Whoever has chosen one before keeps it, if no other process has chosen the same.
    places.sort(key=lambda place: place != torch.cuda.current_device())
    seen = ranks.gather([names[place] for place in places])
    torch.cuda.set_device(names.index(own_gpus(seen)[ranks.rank]))


def own_gpus(seen: Sequence[Sequence[str]]) -> list[str]:
    """Give each process a GPU of its own.

    So the processes of a machine, which see the same GPUs, take one after the other,
    and a process that was shown a single one takes that.

    Parameters
    ----------
    seen
        The names of the GPUs that each process sees, the one it likes best first.

    Raises
    ------
    DeviceMissing
        There are too few.
    """
    taken: list[str] = []
    for rank, names in enumerate(seen):
        free = [name for name in names if name not in taken]
        if not free:
            reason = f"process {rank} needs one of its own of the {len(names)} it sees"
            raise DeviceMissing(given="cuda", reason=reason)
        taken.append(free[0])
    return taken
