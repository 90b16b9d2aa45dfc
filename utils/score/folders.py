"""Which folders of a test go together; needs no package, so that it is said at once."""

from pathlib import Path

from models.errors import InputError
from utils.images.levels import LARGEST_RADIUS


def check_folders(
    image: Path | None = None,
    alpha: Path | None = None,
    trimap: Path | None = None,
    pred: Path | None = None,
    whole: Path | None = None,
    layout: str | None = None,
    radius: int | None = None,
    region: str = "unknown",
) -> None:
    """Refuse what does not go together among the arguments of `request.find_sets`.

    Raises:
        InputError: what is missing, or too much.
    """
    if whole and (image or alpha or trimap):
        raise InputError("test.py: --set has its own --image, --alpha and --trimap")
    if layout and not whole:
        raise InputError("test.py: --layout is that of a --set; name its folder")
    if radius is not None:
        if not 1 <= radius <= LARGEST_RADIUS:
            raise InputError(f"--trimap-radius {radius}: choose one from 1 to {LARGEST_RADIUS}")
        if trimap:
            raise InputError("test.py: --trimap-radius makes trimaps; leave out --trimap")
        if not (whole or alpha):
            raise InputError("test.py: --trimap-radius makes trimaps from the truth; give --alpha")
    if whole or not (image or alpha or trimap or pred or radius is not None):
        return
    made = radius is not None or (region == "all" and pred is not None)
    if not ((pred and alpha and (trimap or made)) or (image and (trimap or (alpha and made)))):
        raise InputError(
            "test.py: --alpha and --trimap go with --image or --pred; give all three (--alpha may "
            "be left out where --image has no truth, --trimap with --trimap-radius)"
        )
