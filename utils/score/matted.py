"""One test of several networks on the same pictures: scores, costs, mattes, sheets."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

from models import Network
from models.files.saving import fingerprint
from utils.cli.problems import naming
from utils.disk.lock import alone
from utils.figures.sheet import scaled, write_sheet
from utils.images.reading import read_alpha, read_image
from utils.images.sizes import check_same_size
from utils.infer.inference import Inference
from utils.metrics import sad
from utils.networks import cost
from utils.networks.device import autocast, deployed
from utils.score.owned import origin, require_own
from utils.score.pictures import Picture, sizes, trimap_of
from utils.score.scores import FLOOR, LATENCY_SIDE, Scores, full_label
from utils.score.scoring import Matting, Scoring, score_floor, score_matting
from utils.score.worst import write_worst

log = logging.getLogger(__name__)

SHEET_ROWS = 8
TILED = ("auto", "tile")


def run_networks(
    networks: dict[str, Network],
    sets: Mapping[str, Sequence[Picture]],
    device: torch.device,
    inference: Inference,
    out: Path,
    scoring: Scoring = Scoring(),  # noqa: B008  (it is frozen)
    files: Mapping[str, str] | None = None,
) -> list[Scores]:
    """Score each network on the pictures of each set.

    Writes out/LABEL/NAME.png (mattes), out/LABEL.json, .csv, .md, LABEL_worst.png, and
    LABEL.rows.jsonl for `scoring.resume`; out/sheet.png. The sets of several trimaps (see
    `layouts.open_set`) give LABEL-Trimap1 and so on; without truth there are mattes alone, in
    out/LABEL/Trimap1 and so on, as alphamatting.com takes them.

    Args:
        sets: {"": pictures}, or pictures by the name of their trimaps.
        inference: how each picture is matted; goes into the JSON.
        files: where each network comes from, by its label, where that tells tests apart.

    Returns:
        The scores of the sets that have a truth.

    Raises:
        InputError: a file cannot be used, where sizes that differ are found before any work;
            results of another test, or what is read, are in `out`; another process writes there.
    """
    # Refuses what cannot be, before any work.
    autocast(device, inference.precision, option="--precision")
    shapes = {key: sizes(pictures) for key, pictures in sets.items()}
    of = {}
    for label in networks:
        method = Path(files[label]) if files and label in files else None
        for key, pictures in sets.items():
            name = full_label(label, key)
            of[name] = origin(out, pictures, method)
            require_own(out, name, _place(out, label, key, pictures), of[name], pictures)
    ready = {label: deployed(network, device) for label, network in networks.items()}
    how = {name: value for name, value in asdict(inference).items() if value is not None}
    results: list[Scores] = []
    floors: dict[str, Scores] = {}
    with alone(out, "scoring"):
        times = cost.milliseconds(list(ready.values()), LATENCY_SIDE)
        for (label, network), time in zip(networks.items(), times, strict=True):
            if inference.precision != "float32":
                _tell_effect(label, ready[label], next(iter(sets.values()))[0], device, inference)
            matting = partial(
                inference.alpha if scoring.exact else inference.matte, ready[label], device=device
            )
            about = {
                "parameters": cost.parameters(network),
                "MACs_224": cost.macs(network, 224, 224),
                "milliseconds_320": time,
                "network": fingerprint(network),
                **how,
                **({"halo": inference.halo_of(network)} if inference.mode in TILED else {}),
            }
            for key, pictures in sets.items():
                settings = {**about, "of": of[full_label(label, key)]}
                result = _run_set(label, key, pictures, matting, settings, device, out, scoring)
                if not result:
                    continue
                if key not in floors:
                    name = full_label(FLOOR, key)
                    floors[key] = Scores(name, score_floor(name, pictures, scoring))
                result.floor = floors[key]
                counted = {size: cost.macs(network, *size) for size in set(shapes[key].values())}
                for row in result.images:
                    row["MACs"] = counted[shapes[key][row["name"]]]
                result.write(out)
                mattes = {p.name: out / result.label / f"{p.name}.png" for p in pictures}
                worst = out / f"{result.label}_worst.png"
                write_worst(worst, result, pictures, mattes, scoring.worst, scoring.region)
                results.append(result)
        for key, pictures in sets.items():
            if pictures[0].alpha:
                _sheet(list(networks), key, pictures, out)
    return results


def _tell_effect(
    label: str, network: Network, picture: Picture, device: torch.device, inference: Inference
) -> None:
    """Log what the precision does to the SAD of one picture."""
    if not picture.alpha:
        return
    image, trimap = read_image(picture.image), trimap_of(picture)
    check_same_size(picture.image, image, picture.outline, trimap)
    alpha = read_alpha(picture.alpha)
    plain = replace(inference, precision="float32")
    with naming(picture.image):
        mattes = [one.matte(network, image, trimap, device) for one in (plain, inference)]
    scores = [sad(matte, alpha, trimap) for matte in mattes]
    log.info(
        "%s: SAD of %s is %.3f in float32, %.3f in %s",
        *(label, picture.name, *scores, inference.precision),
    )


def _run_set(
    label: str,
    key: str,
    pictures: Sequence[Picture],
    matting: Matting,
    about: dict,
    device: torch.device,
    out: Path,
    scoring: Scoring,
) -> Scores | None:
    """The scores of a network on one set; None where there is no truth."""
    scored = pictures[0].alpha is not None
    name, folder = full_label(label, key), _place(out, label, key, pictures)
    decides = {k: v for k, v in about.items() if k != "milliseconds_320"}
    settings = {**decides, "device": device.type}
    rows = score_matting(
        name, pictures, matting, folder, settings, scoring, out / f"{name}.rows.jsonl"
    )
    if not scored:
        return None
    told = {k: v for k, v in about.items() if k != "of"}
    return Scores(name, [dict(row) for row in rows], told | scoring.described(pictures))


def _place(out: Path, label: str, key: str, pictures: Sequence[Picture]) -> Path:
    """Where the mattes of a network go."""
    return out / full_label(label, key) if pictures[0].alpha else out / label / key


def _sheet(labels: list[str], key: str, pictures: Sequence[Picture], out: Path) -> None:
    """Pictures spread evenly over the set: image, trimap, truth and every network's matte."""
    step = max(1, len(pictures) // SHEET_ROWS)
    chosen = list(pictures)[::step][:SHEET_ROWS]
    columns = {
        "image": [scaled(read_image(p.image)) for p in chosen],
        "trimap": [scaled(trimap_of(p)) for p in chosen],
        "truth": [scaled(read_alpha(p.alpha)) for p in chosen],
    }
    for label in labels:
        mattes = [out / full_label(label, key) / f"{p.name}.png" for p in chosen]
        columns[label] = [scaled(read_alpha(matte)) for matte in mattes]
    write_sheet(out / f"{full_label('sheet', key)}.png", columns)
