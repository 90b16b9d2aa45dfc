"""A shipped network in PyTorch, ONNX Runtime and OpenVINO: time, peak memory, file and error.

    python benchmarks/runtimes.py [--network large]

One thread, processor time, float32. The runtimes take turns; the fastest pass of five counts.
Memory is the peak above the loaded network and the picture. SAD is the mean of data/photographs.
A runtime that is not installed is skipped; pip install -r requirements-deploy.txt has all.
"""

import importlib.util
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import Tensor

import models
from benchmarks.timing import fastest, parser, peak_above_inputs, report
from models.files.saving import shipped_networks
from utils.cli.command import run as run_script
from utils.images.reading import read_alpha, read_image, read_trimap
from utils.networks.device import deployed
from utils.networks.onnx_export import Run, export_onnx, scored

PHOTOGRAPHS = Path(__file__).resolve().parents[1] / "data" / "photographs"
SIZES = ((320, 320), (564, 800), (1080, 1920))
TOY = (64, 64)
SMALL = (64, 64)  # of the first pass of a process, whose memory is not counted


def pytorch(path: Path) -> Run:
    network = deployed(models.load(path), torch.device("cpu"))

    @torch.inference_mode()
    def run(image: Tensor, trimap: Tensor) -> np.ndarray:
        return network(image, trimap).numpy()

    return run


def onnxruntime(path: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)
    return lambda image, trimap: session.run(
        None, {"image": image.numpy(), "trimap": trimap.numpy()}
    )[0]


def openvino(path: Path) -> Run:
    import openvino

    # Where the processor has bfloat16, OpenVINO computes in it unless told otherwise.
    options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(str(path), "CPU", options)
    return lambda image, trimap: model((image.numpy(), trimap.numpy()))[0]


RUNTIMES = {"torch": pytorch, "onnxruntime": onnxruntime, "openvino": openvino}


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--network", choices=shipped_networks(), default="small")
    args = options.parse_args(argv)
    sizes, repeats, count = ((TOY,), 1, 1) if args.toy else (SIZES, 5, None)
    photographs = [
        (
            read_image(path),
            read_trimap(PHOTOGRAPHS / "trimap" / f"{path.stem}.png"),
            read_alpha(PHOTOGRAPHS / "alpha" / f"{path.stem}.png"),
        )
        for path in sorted((PHOTOGRAPHS / "image").glob("*.jpg"))[:count]
    ]
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "network.onnx"
        export_onnx(models.load(args.network), exported, photographs[0])
        own = shipped_networks()[args.network]
        files = {name: own if name == "torch" else exported for name in installed()}
        measure(args.network, files, sizes, repeats, photographs)


def installed() -> list[str]:
    """The runtimes that are; the others are told on standard error."""
    found = [name for name in RUNTIMES if importlib.util.find_spec(name)]
    for name in RUNTIMES.keys() - found:
        print(f"{name}: not installed, skipped", file=sys.stderr)
    return found


def measure(
    title: str,
    files: dict[str, Path],
    sizes: Sequence[tuple[int, int]],
    repeats: int,
    photographs: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    runs = {name: RUNTIMES[name](path) for name, path in files.items()}
    for height, width in sizes:
        inputs = noise(height, width)
        calls = [partial(run, *inputs) for run in runs.values()]
        for name, seconds in zip(runs, fastest(calls, repeats, time.process_time), strict=True):
            report(f"{title}, {name}, {width} x {height}", 1000 * seconds, "ms")
            peak = peak_above_inputs(
                once, described, (name, files[name], height, width), (name, files[name], *SMALL)
            )
            report(f"{title}, {name}, {width} x {height}, peak memory", peak / 1e6, "MB")
    for name, run in runs.items():
        report(f"{title}, {name}, file", files[name].stat().st_size / 1e6, "MB")
        errors = [scored(run, photograph)[0] for photograph in photographs]
        report(f"{title}, {name}, SAD", float(np.mean(errors)), "SAD")


def noise(height: int, width: int) -> tuple[Tensor, Tensor]:
    return torch.rand(1, 3, height, width), torch.full((1, 1, height, width), 128 / 255)


def once(run: Run, image: Tensor, trimap: Tensor) -> None:
    run(image, trimap)


def described(name: str, path: Path, height: int, width: int) -> tuple:
    """The arguments of `once`; the network is loaded anew in the process that measures it."""
    return RUNTIMES[name](path), *noise(height, width)


if __name__ == "__main__":
    run_script(main)
