"""Write the small oracles: values of the original implementations that every clone can check.

    python tests/oracles/write.py ../shared/oracles

The argument is the folder of the full reference values, which only developers have. `fill.py`, the
rule by which names become tensors, is copied as it is.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

NETWORKS = (
    *("dim_segnet_pruned", "dim_vgg_refine", "gca", "indexnet_holistic", "indexnet_m2o"),
    "pspnet50",
)
KINDS = ("pred", "alpha", "trimap")
SAMPLES = 128


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, metavar="DIR", help="the full reference values")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent, metavar="DIR", help="default: here"
    )
    args = parser.parse_args(argv)
    shutil.copyfile(args.source / "fill.py", args.out / "fill.py")
    write_losses(args.source, args.out)
    write_metrics(args.source, args.out)
    for name in NETWORKS:
        write_network(name, args.source, args.out)


def write_losses(source: Path, out: Path) -> None:
    """distill.json: the value of each distillation loss in each stage."""
    _write_json(out / "distill.json", _read_json(source / "distill.json"))


def write_metrics(source: Path, out: Path) -> None:
    """metrics.json: scores by case. metrics.png: a row a case; prediction, truth, trimap."""
    cases = _read_json(source / "metrics" / "edge_cases.json")
    rows = [
        np.hstack([np.array(case.pop(kind), np.uint8) for kind in KINDS]) for case in cases.values()
    ]
    cv2.imwrite(str(out / "metrics.png"), np.vstack(rows), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    _write_json(out / "metrics.json", cases)


def write_network(name: str, source: Path, out: Path) -> None:
    """NAME.json: layout and recipe of the inputs. NAME.npz: samples of each output."""
    _write_json(out / f"{name}.json", _read_json(source / "networks" / f"{name}.json"))
    with np.load(source / "networks" / f"{name}.npz") as arrays:
        samples = {key: sample(array) for key, array in arrays.items()}
    np.savez_compressed(out / f"{name}.npz", **samples)


def sample(array: np.ndarray) -> np.ndarray:
    """SAMPLES values spread over all axes of an array."""
    return array.ravel()[np.linspace(0, array.size - 1, SAMPLES).astype(int)]


def _read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def _write_json(path: Path, content: dict) -> None:
    """One line an entry."""
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
