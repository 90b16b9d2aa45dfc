"""A trimap that does not belong to a matte is told by its known pixels, and no other one is."""

import re

import numpy as np
import pytest

from tests.reference import SHARED, metrics
from tests.refusals import refused
from tests.sets import disc
from utils.images.agreement import require_agreement
from utils.images.levels import UNKNOWN
from utils.images.reading import read_alpha, read_trimap
from utils.images.trimap import make_trimap

ALPHA = disc(72, 88)
TRIMAP = make_trimap(ALPHA, 4)
PHOTOGRAPHS = SHARED / "data" / "alphamatting"


def small(x: int) -> np.ndarray:
    """A matte with a subject of a hundredth of the picture."""
    alpha = np.zeros((100, 100), np.uint8)
    alpha[40:50, x : x + 10] = 255
    return alpha


@pytest.mark.parametrize(
    "trimap, alpha, share",
    [
        (np.where(TRIMAP == UNKNOWN, np.uint8(UNKNOWN), 255 - TRIMAP), ALPHA, "100 %"),
        (TRIMAP, 255 - ALPHA, "100 %"),
        (np.roll(TRIMAP, 20, 1), ALPHA, "22.2 %"),
        (make_trimap(small(20), 1), small(60), "1.65 %"),
    ],
    ids=["exchanged", "inverted truth", "shifted", "another small subject"],
)
def test_exchanged_inverted_and_foreign_trimaps_are_refused_with_their_share(trimap, alpha, share):
    message = refused(require_agreement, "t.png", trimap, "a.png", alpha)
    assert message.startswith("t.png: ") and "of its known pixels contradict a.png" in message
    assert share in message


def test_own_trimaps_agree_also_of_faint_and_noisy_mattes_of_which_the_share_is_told(caplog):
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(ALPHA.shape) < 0.005, 255 - ALPHA, ALPHA)
    for alpha in (ALPHA, ALPHA // 2, noisy):
        require_agreement("t.png", TRIMAP, "a.png", alpha)
    (warning,) = caplog.messages
    assert re.fullmatch(r"t\.png: 0\.\d+ % of its known pixels contradict a\.png", warning)
    require_agreement("t.png", np.full_like(ALPHA, UNKNOWN), "a.png", ALPHA)


def test_what_was_scored_by_the_original_code_is_scored():
    for case in metrics().values():
        if (case["trimap"] == UNKNOWN).any():
            require_agreement("t.png", case["trimap"], "a.png", case["alpha"])


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason=f"no photographs at {PHOTOGRAPHS}")
@pytest.mark.parametrize("kind", ["trimap1", "trimap2"])
def test_no_known_pixel_of_real_photographs_contradicts(kind):
    for path in sorted((PHOTOGRAPHS / "gt").iterdir())[::5]:
        alpha, trimap = read_alpha(path), read_trimap(PHOTOGRAPHS / kind / path.name)
        assert not np.any((trimap == 0) & (alpha >= 192) | (trimap == 255) & (alpha < 64))
