"""ONNX files of matting networks, compared with PyTorch in ONNX Runtime before they are written."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models import Network
from models.errors import InputError
from models.files.atomic import atomic
from utils.metrics import sad

OPSET = 17
SIGNATURES = ("matting", "vitmatte")
TOLERANCE = 1e-4  # of alpha in [0, 1]
TIES = 0.05  # of networks that unpool: where maxima nearly tie, rounding decides between pixels
SIZES = ((1, 64, 64), (1, 1, 1), (1, 67, 85), (2, 33, 100), (1, 320, 417))
STRIDE = 32  # what ViTMatte's image processor pads to
Run = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Report(NamedTuple):
    """What the comparison of an exported file with PyTorch found.

    `difference` is the largest of alpha, over random pictures of five sizes. `sad` and
    `milliseconds` are of the given photograph, PyTorch's first, ONNX Runtime's second.
    """

    difference: float
    sad: tuple[float, float]
    milliseconds: tuple[float, float]


class VitMatte(nn.Module):
    """A matting network that is called as ViTMatte is.

    Reads `pixel_values` (N,4,H,W): RGB scaled to [-1, 1], then the trimap in [0, 1].
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: Tensor) -> Tensor:
        return self.network(pixel_values[:, :3] * 0.5 + 0.5, pixel_values[:, 3:])


def export_onnx(
    network: Network,
    path: Path,
    photograph: tuple[np.ndarray, np.ndarray, np.ndarray],
    signature: str = "matting",
    half: bool = False,
) -> Report:
    """Write the network as ONNX, opset 17, with free batch, height and width.

    Inputs are `image` (N,3,H,W), RGB in [0, 1], and `trimap` (N,1,H,W) with 0, 128/255 and 1, any H
    and W; the output is `alpha` (N,1,H,W) in [0, 1]. With the signature `vitmatte` the input is
    `pixel_values` and the output `alphas` (see `VitMatte`), H and W multiples of 32. Normalisation,
    trimap encoding and padding are inside; norms are folded.

    Args:
        network: of matting.
        photograph: uint8 image (H,W,3), trimap (H,W) and true alpha (H,W) to score and time both.
        half: keep the weights in float16; arithmetic stays in float32.

    Raises:
        InputError: the network is not one of matting, `onnx` or `onnxruntime` is not installed, or
            ONNX Runtime does not give PyTorch's alpha to 1e-4 (0.05 of networks that unpool) or its
            SAD to two digits; nothing is written then.
    """
    onnx, onnxruntime = _packages()
    if network.task != "matting":
        raise InputError(f"{network.name}: is a network for {network.task}; give one for matting")
    network = network.folded()
    if half:
        network = network.half().float()
    inputs, output, module = ["image", "trimap"], "alpha", network
    if signature == "vitmatte":
        inputs, output, module = ["pixel_values"], "alphas", VitMatte(network)
    sizes = [_aligned(size) if signature == "vitmatte" else size for size in SIZES]
    free = {name: {0: "batch", 2: "height", 3: "width"} for name in (*inputs, output)}
    with atomic(path) as temporary, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older exporter, which alone keeps all sizes free
        torch.onnx.export(
            module.eval(),
            tuple(_inputs(*_random(sizes[2]), signature).values()),
            str(temporary),
            input_names=inputs,
            output_names=[output],
            opset_version=OPSET,
            dynamo=False,
            dynamic_axes=free,
        )
        model = onnx.load(temporary)
        if half:
            _halve(onnx, model)
        model.doc_string = f"{network.name}, exported by Matting Prune"
        onnx.save(model, temporary)
        session = _session(onnxruntime, temporary)

        def run(image: Tensor, trimap: Tensor) -> np.ndarray:
            named = _inputs(image, trimap, signature)
            return session.run([output], {name: x.numpy() for name, x in named.items()})[0]

        difference = max(_difference(network, run, size) for size in sizes)
        unpools = any(node.op_type == "ArgMax" for node in model.graph.node)
        allowed = TIES if unpools else TOLERANCE
        if not difference <= allowed:
            raise InputError(
                f"{path}: not written, since ONNX Runtime's alpha differs from PyTorch's by "
                f"{difference:.1e}; {allowed:.1e} is allowed"
            )
        results = [scored(compute, photograph, signature) for compute in (network, run)]
        errors, times = zip(*results, strict=True)
        if round(errors[0], 2) != round(errors[1], 2):
            raise InputError(
                f"{path}: not written, since of a photograph ONNX Runtime's SAD is {errors[1]:.2f} "
                f"and PyTorch's {errors[0]:.2f}"
            )
    return Report(difference, errors, times)


def scored(
    compute: Run, photograph: tuple[np.ndarray, np.ndarray, np.ndarray], signature: str = "matting"
) -> tuple[float, float]:
    """The SAD of a photograph, and the fewest milliseconds of three runs."""
    image, trimap, truth = photograph
    height, width = truth.shape
    inputs = [torch.from_numpy(x.reshape(height, width, -1)) for x in (image, trimap)]
    inputs = [x.permute(2, 0, 1)[None].float() / 255 for x in inputs]
    if signature == "vitmatte":
        inputs = [F.pad(x, (0, -width % STRIDE, 0, -height % STRIDE)) for x in inputs]
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        alpha = np.asarray(compute(*inputs))[0, 0, :height, :width]
        times.append(1000 * (time.perf_counter() - begin))
    return sad((alpha * 255).round().astype(np.uint8), truth, trimap), min(times)


def _packages() -> tuple:
    try:
        import onnx
        import onnxruntime
    except ImportError:
        raise InputError(
            "export: needs onnx and onnxruntime; run pip install -r requirements-deploy.txt"
        ) from None
    return onnx, onnxruntime


def _session(onnxruntime, path: Path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path.read_bytes(), options)


def _halve(onnx, model) -> None:
    """Keep float32 weights in float16, each cast back where it is read."""
    for weight in model.graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or not weight.dims:
            continue
        name, array = weight.name, onnx.numpy_helper.to_array(weight)
        weight.CopyFrom(onnx.numpy_helper.from_array(array.astype(np.float16), f"{name}.half"))
        cast = onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT)
        model.graph.node.insert(0, cast)


def _aligned(size: tuple[int, int, int]) -> tuple[int, int, int]:
    return size[0], *(-(-side // STRIDE) * STRIDE for side in size[1:])


def _random(size: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    count, height, width = size
    generator = torch.Generator().manual_seed(height)
    image = torch.rand(count, 3, height, width, generator=generator)
    trimap = torch.randint(0, 3, (count, 1, height, width), generator=generator)
    return image, torch.tensor([0, 128 / 255, 1])[trimap]


def _inputs(image: Tensor, trimap: Tensor, signature: str) -> dict[str, Tensor]:
    if signature == "vitmatte":
        return {"pixel_values": torch.cat([image * 2 - 1, trimap], 1)}
    return {"image": image, "trimap": trimap}


def _difference(network: Network, run: Run, size: tuple[int, int, int]) -> float:
    image, trimap = _random(size)
    return float(np.abs(run(image, trimap) - network(image, trimap).numpy()).max())
