"""One test of several matting networks on the same pictures: scores, costs, mattes, sheets."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

from models import Network
from models.files.saving import fingerprint
from utils.cli.problems import naming
from utils.disk.lock import folder_lock
from utils.images.reading import check_same_size, read_alpha, read_image
from utils.infer.inference import Inference
from utils.infer.options import TILED
from utils.metrics import sad
from utils.networks import cost
from utils.networks.device import autocast, deployed
from utils.score.output_folder import keep_mattes, require_output
from utils.score.pictures import Picture, sizes, trimap_of
from utils.score.scores import FLOOR, LATENCY_SIDE, Scores, full_label
from utils.score.scoring import Scoring, score_floor, score_matting
from utils.score.sheets import write_mattes, write_worst

log = logging.getLogger(__name__)

Sets = Mapping[str, Sequence[Picture]]  # by the name of their trimaps, "" where there is one kind


def run_networks(
    networks: Mapping[str, Network],
    sets: Sets,
    device: torch.device,
    inference: Inference,
    out: Path,
    scoring: Scoring = Scoring(),  # noqa: B008  (it is frozen)
) -> list[Scores]:
    """Score each network on the pictures of each set.

    Writes out/LABEL/NAME.png (mattes), out/LABEL.json, .csv, .md, LABEL_worst.png, and
    out/sheet.png. The sets of several trimaps (see `sets.open_set`) give LABEL-Trimap1 and so on;
    without truth there are mattes alone, in out/LABEL/Trimap1 and so on, as alphamatting.com takes
    them.

    Returns:
        The scores of the sets that have a truth.

    Raises:
        InputError: a file cannot be used, where sizes that differ are found before any work;
            `out` holds what is read or files of others, or another process writes there.
    """
    autocast(device, inference.precision, option="--precision")  # refuses what cannot be
    shapes = {key: sizes(pictures) for key, pictures in sets.items()}
    labels = {label for name in networks for key in sets for label in (name, full_label(name, key))}
    files = [file for pictures in sets.values() for one in pictures for file in one.files]
    require_output(out, labels, files)
    ready = {label: deployed(network, device) for label, network in networks.items()}
    results: list[Scores] = []
    with folder_lock(out, "scoring"):
        about = _about(networks, ready, inference)
        floors = _floors(sets, scoring)
        for label, network in networks.items():
            if inference.precision != "float32":
                _log_precision_effect(label, ready[label], sets, device, inference)
            keep = _keeps(out, label, sets, about[label], device, scoring)
            for key, pictures in sets.items():
                name, folder = full_label(label, key), _folder(out, label, key, pictures)
                matte = inference.alpha if scoring.exact else inference.matte
                matting = partial(matte, ready[label], device=device)
                rows = score_matting(name, pictures, matting, folder, scoring, keep)
                if pictures[0].alpha is None:
                    continue
                counted = {s: cost.macs(network, *s) for s in set(shapes[key].values())}
                rows = [row | {"MACs": counted[shapes[key][row["name"]]]} for row in rows]
                described = about[label] | scoring.described(pictures)
                result = Scores(name, rows, described, floors[key])
                result.write(out)
                mattes = {one.name: folder / f"{one.name}.png" for one in pictures}
                worst = out / f"{name}_worst.png"
                write_worst(worst, result, pictures, mattes, scoring.worst, scoring.region)
                results.append(result)
        for key in floors:
            folders = {label: out / full_label(label, key) for label in networks}
            write_mattes(out / f"{full_label('sheet', key)}.png", sets[key], folders)
    return results


def _about(
    networks: Mapping[str, Network], ready: Mapping[str, Network], inference: Inference
) -> dict[str, dict]:
    """By label, what each network is and costs, and how it mattes; goes into the JSON."""
    times = cost.milliseconds(list(ready.values()), LATENCY_SIDE)
    options = {name: value for name, value in asdict(inference).items() if value is not None}
    return {
        label: {
            "parameters": cost.parameters(network),
            "MACs_224": cost.macs(network, 224, 224),
            "milliseconds_320": time,
            "network": fingerprint(network),
            **options,
            **({"halo": inference.halo_of(network)} if inference.mode in TILED else {}),
        }
        for (label, network), time in zip(networks.items(), times, strict=True)
    }


def _floors(sets: Sets, scoring: Scoring) -> dict[str, Scores]:
    """By the name of their trimaps, the floor of each set that has a truth."""
    floors = {}
    for key, pictures in sets.items():
        if pictures[0].alpha:
            name = full_label(FLOOR, key)
            floors[key] = Scores(name, score_floor(name, pictures, scoring))
    return floors


def _keeps(
    out: Path, label: str, sets: Sets, about: Mapping, device: torch.device, scoring: Scoring
) -> bool:
    """Whether `--resume` keeps mattes of the network; see `output_folder.keep_mattes`."""
    settings = {name: value for name, value in about.items() if name != "milliseconds_320"}
    pictures = [one for same in sets.values() for one in same]
    seen = {file.parent.resolve() for one in pictures for file in (one.image, one.outline)}
    settings |= {"device": device.type, "pictures": sorted(map(str, seen))}
    mattes = [
        _folder(out, label, key, same) / f"{one.name}.png"
        for key, same in sets.items()
        for one in same
    ]
    resume = scoring.resume and not scoring.exact  # those that are there have 8 bits
    return keep_mattes(out, label, settings, mattes, resume)


def _log_precision_effect(
    label: str, network: Network, sets: Sets, device: torch.device, inference: Inference
) -> None:
    """Log what the precision does to the SAD of one picture."""
    picture = next(iter(sets.values()))[0]
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


def _folder(out: Path, label: str, key: str, pictures: Sequence[Picture]) -> Path:
    """Where the mattes of a network go."""
    return out / full_label(label, key) if pictures[0].alpha else out / label / key
