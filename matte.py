"""Matte photographs: with a trimap, or with any mask of the foreground.

    python matte.py photo.jpg trimap.png
    python matte.py photo.jpg --mask mask.png --cutout --background '#3a6ea5'
    python matte.py photos --trimap trimaps --out mattes --network large

Reads photographs and what marks their foregrounds. Writes NAME_matte.png beside each photograph, or
into --out; with --cutout NAME_cutout.png, RGBA with the foreground's own colours, so that no halo
of the old background stays; with --background (a picture or a colour) NAME_composite.png; with
--save-trimap NAME_trimap.png. A mask may be any grey picture, a soft matte or an RGBA cut-out:
unknown is what is near its edge, --width pixels or percent to each side. EXIF orientation is
applied to all files. Nothing is replaced without --overwrite.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where PYTHONSAFEPATH leaves it out

from utils.cli.command import run  # first, since it says which packages are missing

# isort: split
import models
from models.errors import InputError
from utils.cli.arguments import parser, path
from utils.cli.files import require_absent, require_folder
from utils.cli.problems import naming
from utils.cli.progress import progress_bar
from utils.images.foreground import require_pymatting
from utils.infer.inference import Inference
from utils.infer.options import add_inference, given_inference
from utils.infer.photographs import (
    find_photographs,
    read_background,
    read_photograph,
    write_results,
)
from utils.networks.device import choose, deployed


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument(
        "photo", nargs="+", type=path, help="photographs, folders, globs, or PHOTO TRIMAP"
    )
    hint = options.add_mutually_exclusive_group()
    hint.add_argument("--trimap", type=path, help="a trimap, or a folder of them")
    hint.add_argument("--mask", type=path, help="a mask, or a folder of them")
    options.add_argument("--width", help="of a mask's trimap: 12 (pixels) or 2%% (of the side)")
    options.add_argument(
        "--network",
        type=os.path.expanduser,
        default="small",
        help="a shipped network or a file (small)",
    )
    options.add_argument("--out", type=path, help="a folder (beside each photograph)")
    options.add_argument("--cutout", action="store_true", help="RGBA with the foreground's colours")
    options.add_argument(
        "--background", type=os.path.expanduser, help="a picture or a colour to put behind"
    )
    options.add_argument("--save-trimap", action="store_true", help="the trimap that was used")
    options.add_argument("--overwrite", action="store_true", help="replace earlier results")
    options.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (auto)")
    add_inference(options, mode="auto")
    args = options.parse_args(argv)
    if args.width is not None and args.mask is None:
        raise InputError("--width: is of a mask's trimap; give --mask")
    for option in ("cutout", "background"):
        if getattr(args, option):
            require_pymatting(f"--{option}")
    if args.background is not None:
        read_background(args.background, (1, 1))  # is it one?
    require_folder("--out", args.out)
    kinds = {"matte": True, "cutout": args.cutout, "composite": args.background is not None,
             "trimap": args.save_trimap}  # fmt: skip
    photographs = find_photographs(args.photo, args.trimap, args.mask, args.out)
    results = [one.result(kind) for one in photographs for kind in kinds if kinds[kind]]
    for result in results:
        if not args.overwrite:
            require_absent(result)
    device = choose(args.device)
    network = deployed(models.load(args.network), device)
    inference = Inference(**given_inference(args, mode="auto"))
    with progress_bar(total=len(photographs), desc="matting", unit="image") as bar:
        for photograph in photographs:
            image, trimap = read_photograph(photograph, args.width)
            with naming(photograph.image):
                matte = inference.matte(network, image, trimap, device)
                write_results(
                    photograph, image, trimap, matte,
                    cutout=args.cutout, background=args.background, save_trimap=args.save_trimap,
                )  # fmt: skip
            bar.update()
    print(*results, sep="\n")


if __name__ == "__main__":
    run(main)
