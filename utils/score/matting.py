"""One test of several matting networks on the same pictures: scores, costs, mattes, sheets."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

from models import Network
from models.files.saving import fingerprint
from utils.cli.files import folder_lock
from utils.cli.problems import naming
from utils.images.decode import image_size
from utils.images.reading import check_same_size, read_alpha, read_image
from utils.infer.inference import Inference
from utils.infer.options import TILED
from utils.metrics import sad
from utils.networks import cost
from utils.networks.device import autocast, deployed
from utils.score.scores import LATENCY_SIDE, Scores, full_label, record_settings, require_output
from utils.score.scoring import Scoring, score_floors, score_matting
from utils.score.sets import Picture, Sets, trimap_of
from utils.score.sheets import write_mattes

log = logging.getLogger(__name__)


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
    """
    autocast(device, inference.precision, option="--precision")  # refuses what cannot be
    labels = {label for name in networks for key in sets for label in (name, full_label(name, key))}
    everything = [one for pictures in sets.values() for one in pictures]
    require_output(out, labels, [file for one in everything for file in one.files])
    seen = {str(file.parent.resolve()) for one in everything for file in (one.image, one.outline)}
    ready = {label: deployed(network, device) for label, network in networks.items()}
    results: list[Scores] = []
    with folder_lock(out, "scoring"):
        about = costs(networks, ready)
        floors = score_floors(sets, scoring)
        for label, network in networks.items():
            if inference.precision != "float32" and everything[0].alpha:
                _log_precision_effect(label, ready[label], everything[0], device, inference)
            options = {
                name: value for name, value in asdict(inference).items() if value is not None
            }
            if inference.mode in TILED:
                options["halo"] = inference.halo_of(ready[label])
            about[label] |= options
            mattes = {
                key: {
                    one.name: _folder(out, label, key, one) / f"{one.name}.png" for one in pictures
                }
                for key, pictures in sets.items()
            }
            settings = {k: v for k, v in about[label].items() if k != "milliseconds_320"}
            settings |= {"device": device.type, "pictures": sorted(seen)}
            all_mattes = [path for paths in mattes.values() for path in paths.values()]
            resume = scoring.resume and not scoring.exact  # those that are there have 8 bits
            keep = record_settings(out, label, settings, all_mattes, resume)
            for key, pictures in sets.items():
                name, folder = full_label(label, key), _folder(out, label, key, pictures[0])
                matte = inference.alpha if scoring.exact else inference.matte
                matting = partial(matte, ready[label], device=device)
                rows = score_matting(name, pictures, matting, folder, scoring, keep)
                if key not in floors:
                    continue
                shapes = [image_size(picture.image) for picture in pictures]
                counted = {shape: cost.macs(network, *shape) for shape in set(shapes)}
                for row, shape in zip(rows, shapes, strict=True):
                    row["MACs"] = counted[shape]
                result = scoring.result(name, rows, pictures, floors[key], about[label])
                scoring.write(out, result, pictures, mattes[key])
                results.append(result)
        for key in floors:
            folders = {label: out / full_label(label, key) for label in networks}
            write_mattes(out / f"{full_label('sheet', key)}.png", sets[key], folders)
    return results


def costs(networks: Mapping[str, Network], ready: Mapping[str, Network]) -> dict[str, dict]:
    """By label, what each network is and costs, timed in its deployed form; goes into the JSON."""
    times = cost.milliseconds(list(ready.values()), LATENCY_SIDE)
    return {
        label: {
            "parameters": cost.parameters(network),
            "MACs_224": cost.macs(network, 224, 224),
            "milliseconds_320": time,
            "network": fingerprint(network),
        }
        for (label, network), time in zip(networks.items(), times, strict=True)
    }


def _log_precision_effect(
    label: str, network: Network, picture: Picture, device: torch.device, inference: Inference
) -> None:
    """Log what the precision does to the SAD of one picture."""
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


def _folder(out: Path, label: str, key: str, picture: Picture) -> Path:
    """Where the mattes of a network go."""
    return out / full_label(label, key) if picture.alpha else out / label / key
