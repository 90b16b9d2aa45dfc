"""Values of the original implementations: small ones in tests/oracles, all of them in `shared`."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.oracles import fill  # noqa: F401  (tensors determined by their names)

SHARED = Path(__file__).resolve().parents[2] / "shared"  # what only developers have
SMALL = Path(__file__).parent / "oracles"
KINDS = ("pred", "alpha", "trimap")
SAMPLES = 128
needs_shared = pytest.mark.skipif(
    not (SHARED / "oracles").is_dir(), reason=f"no reference values at {SHARED}"
)


def metrics() -> dict[str, dict]:
    """Cases by name: `pred`, `alpha` and `trimap`, uint8 (H, W), and the score of each metric."""
    cases = json.loads((SMALL / "metrics.json").read_text(encoding="utf-8"))
    sheet = cv2.imread(str(SMALL / "metrics.png"), cv2.IMREAD_GRAYSCALE)
    for row, case in zip(np.vsplit(sheet, len(cases)), cases.values(), strict=True):
        case.update(zip(KINDS, np.hsplit(row, len(KINDS)), strict=True))
    return cases


def losses() -> dict:
    """`shapes` of the stages, and by `losses` the value of each loss in each stage."""
    return json.loads((SMALL / "distill.json").read_text(encoding="utf-8"))


def sample(array: np.ndarray) -> np.ndarray:
    """What of a network's output is in tests/oracles: values spread over all axes."""
    return array.ravel()[np.linspace(0, array.size - 1, SAMPLES).astype(int)]
