"""How a process meets the others of its training."""

import os
import socket
import struct
import sys
from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist

from throughtime.errors import DeviceMissing, NotShared
from throughtime.train.ranks.ranks import ALONE, Ranks, lost

# A machine that vanishes closes no connection; a process that ends does, at once.
_LONGEST_WAIT: Final = timedelta(minutes=10)
# Linux's number for "which address has this network".
_ADDRESS_OF: Final = 0x8915


def join(device: object = "cpu") -> Ranks:
    """Meet the other processes of this training, if there are any.

    They are known by the environment that `torchrun` sets up, or by a process group
    that exists already. A group that is made here lives as long as the process.

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
    if not dist.is_available():
        return ALONE
    cuda = str(device).startswith("cuda")
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if not dist.is_initialized():
        if world == 1:
            return ALONE
        if cuda:
            _take_gpu(device, world)
        _meet(backend, world)
        group = dist.group.WORLD
    elif dist.get_world_size() == 1:
        return ALONE
    else:
        group = dist.new_group(backend=backend, timeout=_LONGEST_WAIT)
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return Ranks(dist.get_rank(), dist.get_world_size(), here, group)


def _meet(backend: str, world: int) -> None:
    master, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    name = _network_to(master, port) if master and port else None
    if name is not None:
        # By itself gloo takes the address of the host's name, which may lead nowhere.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
    try:
        dist.init_process_group(backend, timeout=_LONGEST_WAIT)
    except (RuntimeError, ValueError) as error:
        raise lost(world, error) from error


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


def _take_gpu(device: object, world: int) -> None:
    """Make this process's own GPU what `"cuda"` stands for."""
    if str(device) != "cuda":
        raise NotShared(
            argument="device",
            given=str(device),
            world=world,
            expected="'cuda', of which each takes a GPU of its own",
        )
    place, found = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if place >= found:
        reason = f"process {place} of this machine needs one of its own of {found}"
        raise DeviceMissing(given="cuda", reason=reason)
    torch.cuda.set_device(place)
