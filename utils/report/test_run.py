"""One test of several networks on the same pictures: scores, costs, mattes, a sheet."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from models import Network
from utils.data.images import read_alpha, read_image, read_trimap, write_image
from utils.device import autocast
from utils.infer.predict import predict
from utils.report import cost
from utils.report.scores import METRICS, Picture, Scores, score_network, score_saved
from utils.report.sheet import write_sheet
from utils.report.table import table

SHEET_ROWS = 8
LATENCY_SIDE = 320


def run_networks(
    networks: dict[str, Network],
    pictures: Sequence[Picture],
    device: torch.device,
    precision: str,
    out: Path,
) -> list[Scores]:
    """Score each network on all pictures.

    Writes out/LABEL/NAME.png (mattes), out/LABEL.json, out/LABEL.csv and out/sheet.png.
    """
    autocast(device, precision, option="--precision")  # refuses what cannot be, before any work
    for network in networks.values():
        network.to(device)
    times = cost.milliseconds(list(networks.values()), LATENCY_SIDE)
    results = []
    for (label, network), time in zip(networks.items(), times, strict=True):
        result = Scores(label)
        result.about = {
            "parameters": cost.parameters(network),
            "MACs_224": cost.macs(network, 224, 224),
            "milliseconds_320": time,
            "precision": precision,
        }
        matte = partial(predict, network, device=device, precision=precision)
        rows = tqdm(score_network(pictures, matte), desc=label, total=len(pictures), unit="image")
        sizes: dict[tuple[int, int], int] = {}
        for row, predicted in rows:
            size = predicted.shape
            if size not in sizes:
                sizes[size] = cost.macs(network, *size)
            result.images.append({**row, "MACs": sizes[size]})
            write_image(out / label / f"{row['name']}.png", predicted)
        results.append(result)
        _write(result, out)
    _sheet(list(networks), pictures, out)
    return results


def run_saved(pictures: Sequence[Picture], label: str, out: Path | None = None) -> Scores:
    """Score saved mattes; write out/LABEL.json and out/LABEL.csv if `out` is given."""
    rows = tqdm(score_saved(pictures), desc=label, total=len(pictures), unit="image")
    result = Scores(label, list(rows))
    if out:
        _write(result, out)
    return result


def summary(results: Sequence[Scores]) -> str:
    """The table of the means and, for networks, of what they cost."""
    header = ["network", *METRICS]
    rows = [
        [r.label, *(f"{v:.4f}" if m == "MSE" else f"{v:.2f}" for m, v in r.means().items())]
        for r in results
    ]
    if all(r.about for r in results):
        header += ["parameters", "MACs 224", "MACs/picture", f"ms {LATENCY_SIDE}"]
        for row, r in zip(rows, results, strict=True):
            picture = sum(image["MACs"] for image in r.images) / len(r.images)
            row += [
                f"{r.about['parameters']:,}",
                f"{r.about['MACs_224'] / 1e9:.2f} G",
                f"{picture / 1e9:.1f} G",
                f"{r.about['milliseconds_320']:.1f}",
            ]
    return table(header, rows)


def _write(result: Scores, out: Path) -> None:
    result.write_json(out / f"{result.label}.json")
    result.write_csv(out / f"{result.label}.csv")


def _sheet(labels: list[str], pictures: Sequence[Picture], out: Path) -> None:
    """Pictures spread evenly over the set: image, trimap, truth and every network's matte."""
    step = max(1, len(pictures) // SHEET_ROWS)
    chosen = list(pictures)[::step][:SHEET_ROWS]
    columns = {
        "image": [read_image(p.image) for p in chosen],
        "trimap": [read_trimap(p.trimap) for p in chosen],
        "truth": [read_alpha(p.alpha) for p in chosen],
    }
    for label in labels:
        columns[label] = [read_alpha(out / label / f"{p.name}.png") for p in chosen]
    write_sheet(out / "sheet.png", columns)
