"""Matte one picture with a network."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from models import Network
from utils.data.trimap import UNKNOWN
from utils.device import autocast


@torch.inference_mode()
def predict(
    network: Network,
    image: np.ndarray,
    trimap: np.ndarray,
    device: torch.device,
    precision: str = "float32",
) -> np.ndarray:
    """The matte of a whole picture at its own size; the network must be on the device.

    Args:
        image: uint8 (H,W,3), RGB.
        trimap: uint8 (H,W) of 0, 128 and 255.

    Returns:
        uint8 (H,W), rounded; known pixels are exactly 0 and 255.
    """
    picture = torch.from_numpy(image).to(device).permute(2, 0, 1)[None].float() / 255
    known = torch.from_numpy(trimap).to(device)[None, None].float() / 255
    with autocast(device, precision, option="--precision"), without_tf32():
        alpha = network(picture, known)
    matte = (alpha[0, 0].float() * 255).round().to(torch.uint8).cpu().numpy()
    return np.where(trimap == UNKNOWN, matte, trimap)


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
