"""What is changed at random in a training sample, on 8-bit RGB pictures."""

from utils.data.augment.colour import jitter, jitter_foreground
from utils.data.augment.degrade import blur, degraded, gamma, jpeg, noise
from utils.data.augment.fuse import fuse, fuse_exactly
from utils.data.augment.hide import hide, hide_foreground
from utils.data.augment.thin import thin

__all__ = [
    "blur",
    "degraded",
    "fuse",
    "fuse_exactly",
    "gamma",
    "hide",
    "hide_foreground",
    "jitter",
    "jitter_foreground",
    "jpeg",
    "noise",
    "thin",
]
