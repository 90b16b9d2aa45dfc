"""How much memory a picture takes in a network, and how much there is."""

import os
from pathlib import Path

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from models import Network

# oneDNN keeps what it made for the last 1024 layers and sizes, and these small pieces hold the heap
# around them: a set of pictures of many sizes took 25 MB more with each. It reads this at its first
# layer; a process that ran one before importing this keeps the 1024.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

SCRATCH = 1.3  # measured 0.99 (DIM) to 1.18 (a quarter of its width): what convolutions keep aside


def needed(network: Network, height: int, width: int) -> int:
    """Bytes that the maps of a picture of that size take at most at once, in float32.

    Counted on the meta device: nothing is computed and no memory is used.
    """
    with torch.device("meta"), torch.no_grad():
        twin = network.blank(network.plan, **network.structure).eval()
        inputs = twin.example(1, height, width)
        with _Live() as live:
            twin(*inputs)
    return int(SCRATCH * live.peak)


def free(device: torch.device) -> int:
    """Bytes of memory that are free on a device now."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    known = Path("/proc/meminfo")
    if not known.is_file():  # no Linux: half of what the machine has
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    lines = dict(line.split(":") for line in known.read_text().splitlines())
    return min(1024 * int(lines["MemAvailable"].split()[0]), _left_to_the_container())


def _left_to_the_container() -> int | float:
    """Bytes that a container with a limit may still take."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = int((folder / "memory.max").read_text())
        return limit - int((folder / "memory.current").read_text())
    except (OSError, ValueError):  # no cgroup of version 2, or "max"
        return float("inf")


class _Live(TorchDispatchMode):
    """Follows which tensors live: `peak` is the most bytes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._alive: dict[StorageWeakRef, int] = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self._alive[StorageWeakRef(storage)] = storage.nbytes()
        self._alive = {ref: size for ref, size in self._alive.items() if not ref.expired()}
        self.peak = max(self.peak, sum(self._alive.values()))
        return result
