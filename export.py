"""Export a matting network to ONNX, checked against PyTorch before it is written.

    python export.py --network small --out small.onnx
    python export.py --network result/SPKD/BEST_pruned.tar --out pruned.onnx --precision float16
    python export.py --network large --out large.onnx --signature vitmatte

Reads what `test.py --network` takes. Writes --out, whose inputs are `image` (N,3,H,W), RGB in [0,
1], and `trimap` (N,1,H,W) with 0, 128/255 and 1, of any size; output `alpha` (N,1,H,W). With
--signature vitmatte the input is `pixel_values` (N,4,H,W), RGB scaled to [-1, 1] and the trimap, H
and W multiples of 32, and the output `alphas`: what tools feed ViTMatte. Everything else is inside.
Needs pip install -r requirements-deploy.txt.
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
from utils.cli.files import require_absent, require_target
from utils.images.reading import read_alpha, read_image, read_trimap
from utils.networks.onnx_export import SIGNATURES, export_onnx

PHOTOGRAPHS = Path(__file__).resolve().parent / "data" / "photographs"


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument(
        "--network", type=os.path.expanduser, required=True, help="a file, or a shipped network"
    )
    options.add_argument("--out", required=True, type=path, help="the ONNX file to write")
    options.add_argument("--signature", choices=SIGNATURES, default="matting")
    options.add_argument("--precision", choices=("float32", "float16"), default="float32",
                         help="of the weights in the file; arithmetic stays float32")  # fmt: skip
    options.add_argument("--overwrite", action="store_true", help="replace an earlier file")
    args = options.parse_args(argv)
    if args.out.suffix != ".onnx":
        raise InputError(f"--out {args.out}: end its name in .onnx")
    require_target("--out", args.out)
    if not args.overwrite:
        require_absent(args.out)
    photograph = (
        read_image(PHOTOGRAPHS / "image" / "llama.jpg"),
        read_trimap(PHOTOGRAPHS / "trimap" / "llama.png"),
        read_alpha(PHOTOGRAPHS / "alpha" / "llama.png"),
    )
    half = args.precision == "float16"
    report = export_onnx(models.load(args.network), args.out, photograph, args.signature, half)
    rows = zip(("PyTorch", "ONNX Runtime"), report.sad, report.milliseconds, strict=True)
    for name, error, milliseconds in rows:
        print(
            f"{name}: SAD {error:.2f}, {milliseconds:.0f} ms for data/photographs/image/llama.jpg"
        )
    size = args.out.stat().st_size / 1e6
    print(f"{args.out}: {size:.1f} MB, alpha within {report.difference:.0e} of PyTorch's")


if __name__ == "__main__":
    run(main)
