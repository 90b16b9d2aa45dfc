"""Several processes (ranks), started by torchrun, train one network: each on its share of a batch.

The gradient is the mean of theirs, so a loss that is a mean over pictures needs nothing. What
compares pictures is `gathered`, a mean over pixels is multiplied by `weight`. In one process all of
this leaves everything as it is.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from datetime import timedelta
from pathlib import Path
from types import MethodType
from typing import Any, TypeVar
from uuid import uuid4

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn.parallel import DistributedDataParallel

from models.errors import InputError
from utils.cli.signals import StopRequest

Content = TypeVar("Content")


def rank() -> int:
    """The number of this process; 0 alone writes and prints."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


@contextmanager
def ranks() -> Iterator[None]:
    """Inside, the processes that torchrun started are one training; rank 0 alone prints.

    The first that fails says why; the others then end without a word.
    """
    launched = dist.is_available() and dist.is_torchelastic_launched()
    if not launched or os.environ["WORLD_SIZE"] == "1":
        yield
        return
    local, cuda = int(os.environ["LOCAL_RANK"]), torch.cuda.is_available()
    if cuda and local < torch.cuda.device_count():
        torch.cuda.set_device(local)
    shared, own, count = next(dist.rendezvous("env://"))
    store = _of_this_start(shared, own, count)
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    dist.init_process_group(backend, store=store, rank=own, world_size=count)
    try:
        with ExitStack() as stack:
            if own:
                nothing = stack.enter_context(Path(os.devnull).open("w"))
                stack.enter_context(redirect_stdout(nothing))
                stack.enter_context(redirect_stderr(nothing))
                stack.callback(logging.disable, logging.NOTSET)
                logging.disable()
            yield
    except Exception as error:
        with suppress(RuntimeError):  # of a store that has ended: nobody else can speak
            if store.compare_set("failed", "", str(own)) != str(own).encode():
                raise SystemExit(2) from None
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            reason = " ".join(str(error).split())[:120]
            raise InputError(f"rank {own} has lost another process ({reason})") from error
        raise
    dist.destroy_process_group()


def _of_this_start(store: dist.Store, own: int, count: int) -> dist.Store:
    """What the processes share, without what is left of an earlier start: torchrun keeps its store.

    Its count of restarts cannot tell, since each machine counts the failures of its own.
    """
    token = uuid4().hex
    if own == 0:
        if store.check(["start"]):
            os.environ["TORCHELASTIC_RESTART_COUNT"] = "1"
        store.set("start", token)
        for other in [store.get(f"{token}/{number}") for number in range(1, count)]:
            store.set(other.decode(), token)
        return dist.PrefixStore(token, store)
    while True:
        start = store.get("start").decode()
        store.set(f"{start}/{own}", token)
        with suppress(dist.DistStoreError):  # nobody answers for an earlier start
            store.wait([token], timedelta(seconds=1))
            return dist.PrefixStore(start, store)


def require_device(device: torch.device) -> None:
    """Raise an `InputError` where the processes of this machine have no GPU each."""
    local, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), torch.cuda.device_count()
    if size() == 1 or device.type != "cuda":
        return
    if device.index is not None and local > 1:
        raise InputError(f"device: {device} is one GPU for {local} processes; set device=cuda")
    if local > gpus:
        raise InputError(
            f"device: {local} processes on a machine with {gpus} GPUs; start {gpus} "
            f"(torchrun --nproc-per-node {gpus}), or set device=cpu"
        )


def require_same(values: Mapping[str, object]) -> None:
    """Raise an `InputError` in all processes where one has other `values` than rank 0."""
    first, *others = gathered_objects(dict(_flat(values)))
    for number, other in enumerate(others, start=1):
        for key in {**first, **other}:
            if key not in first or key not in other or first[key] != other[key]:
                raise InputError(
                    f"{key}: rank {number} has another than rank 0; start all processes with the "
                    "same options on the same data"
                )


def require_one(option: str) -> None:
    """Raise an `InputError` for what several processes cannot share."""
    if size() > 1:
        raise InputError(f"{option}: is work for one process; start it without torchrun")


def share(count: int) -> range:
    """Which of `count` things in a row are this process's."""
    return range(count * rank() // size(), count * (rank() + 1) // size())


def parallel(module: nn.Module) -> nn.Module:
    """The module with gradients that are the mean over all processes."""
    # Which parameters a step uses never changes.
    return DistributedDataParallel(module, static_graph=True) if size() > 1 else module


def from_first(content: Content | None = None) -> Content:
    """What rank 0 gives; the others wait for it."""
    contents = [content]
    if size() > 1:
        dist.broadcast_object_list(contents)
    return contents[0]


def gathered_objects(content: Content) -> list[Content]:
    """What each process gives, by rank; tensors must be on the CPU."""
    contents = [content] * size()
    if size() > 1:
        dist.all_gather_object(contents, content)
    return contents


def asked(stop: StopRequest) -> int:
    """The signal that asks any of the processes to stop, the same in all; 0 where none does."""
    code = stop.signal or 0
    if size() > 1:
        codes = torch.tensor(code)
        dist.all_reduce(codes, dist.ReduceOp.MAX)  # on the CPU: no GPU is waited for
        return int(codes)
    return code


def average(x: Tensor) -> Tensor:
    """The mean over all processes, in place; without a gradient."""
    if size() > 1:
        dist.all_reduce(x)
        x /= size()
    return x


def weight(count: Tensor) -> Tensor:
    """What a mean over `count` pixels is multiplied by before the mean over processes is taken.

    It is then the mean over the pixels of all of them.
    """
    count = count.double()
    return count / average(count.clone()).clamp_min(torch.finfo(count.dtype).tiny)


def gathered(x: Tensor) -> Tensor:
    """(N,...) of each process to those of all, (size * N,...) by rank; with gradients."""
    return _Gather.apply(x) if size() > 1 else x


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        x = x.contiguous()
        parts = [torch.empty_like(x) for _ in range(size())]
        dist.all_gather(parts, x)
        return torch.cat(parts)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, upstream: Tensor) -> Tensor:
        total = upstream.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)  # the losses of all processes look at this one's part
        return total.chunk(size())[rank()]


def synchronise_norms(module: nn.Module) -> None:
    """Let BatchNorms in training mode take their statistics from the whole batch."""
    for norm in module.modules() if size() > 1 else ():
        if isinstance(norm, nn.BatchNorm2d):
            norm.forward = MethodType(_normalise, norm)


def _normalise(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """PyTorch's SyncBatchNorm, which needs a GPU and drops what our class knows."""
    if not norm.training:
        return type(norm).forward(norm, x)
    full = x.to(torch.promote_types(x.dtype, torch.float32))
    var, mean = torch.var_mean(full, (0, 2, 3), correction=0)
    means, variances = gathered(torch.stack((mean, var))[None]).unbind(1)
    mean = means.mean(0)
    var = (variances + (means - mean).square()).mean(0)
    with torch.no_grad():
        norm.num_batches_tracked += 1
        new = 1 / norm.num_batches_tracked if norm.momentum is None else norm.momentum
        count = size() * x.numel() / x.shape[1]
        norm.running_mean.lerp_(mean, new)
        norm.running_var.lerp_(var * count / max(count - 1, 1), new)
    scale = norm.weight * (var + norm.eps).rsqrt()
    normal = (full - mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None]
    return normal.to(x.dtype)


def average_statistics(module: nn.Module) -> None:
    """Let the processes agree on the statistics that BatchNorms took from each one's share."""
    norms = [
        norm
        for norm in (module.modules() if size() > 1 else ())
        if isinstance(norm, nn.BatchNorm2d) and norm.training and "forward" not in vars(norm)
    ]
    buffers = [buffer for norm in norms for buffer in (norm.running_mean, norm.running_var)]
    if buffers:
        means = average(torch.cat(buffers)).split([len(buffer) for buffer in buffers])
        torch._foreach_copy_(buffers, list(means))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
