"""Where and in which precision a network runs."""

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from models import Network
from models.errors import InputError
from utils.cli.problems import warn_once

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose(name: str) -> torch.device:
    """The device of `device: auto | cpu | cuda | cuda:N`.

    Raises:
        InputError: no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    form = re.fullmatch(r"cpu|cuda(?::(\d+))?", name, re.ASCII)
    if not form:
        raise InputError(f"device: {name!r} is none; use auto, cpu, cuda or cuda:N")
    count = torch.cuda.device_count()
    # torch.device would wrap an index above 127 round.
    if name != "cpu" and int(form[1] or 0) >= count:
        raise InputError(f"device: {name} is not here ({count} CUDA devices found); use auto")
    return torch.device(name)


def autocast(
    device: torch.device, precision: str, option: str = "train.precision"
) -> torch.autocast:
    """The mixed-precision context of a forward pass; none in float32.

    Raises:
        InputError: float16 on a CPU, which has no loss scaling and little speed there.
    """
    if precision == "float16" and device.type == "cpu":
        raise InputError(f"{option}: float16 needs a GPU; use bfloat16 on the CPU")
    return torch.autocast(device.type, TYPES[precision], enabled=precision != "float32")


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16, as PyTorch tells; others imitate it, slowly."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if not torch.backends.mkldnn.is_available():
        return False
    # The first alone is true of processors with AVX-512, too, where oneDNN imitates it.
    instructions = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    arm = platform.machine() in ("aarch64", "arm64")
    return torch.ops.mkldnn._is_mkldnn_bf16_supported() and (instructions or arm)


def training_precision(precision: str, device: torch.device) -> str:
    """The precision of `train.precision` on a device: auto is what is fast there and safe.

    Warns once where bfloat16 is asked for and only imitated.
    """
    if precision == "auto":
        return "bfloat16" if has_bfloat16(device) else "float32"
    if precision == "bfloat16" and not has_bfloat16(device):
        warn_once(
            f"train.precision: {device} imitates bfloat16, which is slow; auto takes float32 here"
        )
    return precision


def require_compiler(device: torch.device) -> None:
    """Raise an `InputError` where `torch.compile` does not work."""
    try:
        torch.compile(torch.square)(torch.ones(2, device=device))
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"train.compile: there is no compiler for it ({reason}); leave it out"
        ) from error


def deployed(network: Network, device: torch.device) -> Network:
    """A copy on the device that computes the same sooner: norms folded, memory laid out for it."""
    copied = network.folded().to(device)
    # On the CPU a third less time for small networks, a tenth for large ones.
    return copied.to(memory_format=torch.channels_last) if device.type == "cpu" else copied


@contextmanager
def without_tf32() -> Iterator[None]:
    """Inside, float32 means float32; left alone, cuDNN convolves it in TF32, of 10 bits."""
    convolutions, products = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")  # switches cuda.matmul.allow_tf32 off, too
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = convolutions
        torch.set_float32_matmul_precision(products)
