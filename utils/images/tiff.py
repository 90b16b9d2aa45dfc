"""What the tags of a TIFF say of its pixels, and what decoders would make of them otherwise."""

import io
import struct
import warnings

import numpy as np
from PIL import Image

from utils.images.strips import require_whole
from utils.images.tags import (
    BITS,
    BLACK_IS_ZERO,
    CHANNELS,
    COLOURS,
    EXTRA,
    ORIENTATION,
    PLANES,
    RGB,
    SAMPLES,
    YCBCR,
    Tag,
    first,
    tags,
)

WHITE_IS_ZERO = 0
OTHER_COLOURS = {5: "CMYK", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab"}
UNSPECIFIED, ASSOCIATED, STRAIGHT = 0, 1, 2  # what an extra channel is
UNSIGNED = 1  # samples


class Tiff:
    """The first picture of a TIFF, and the few things that decide how it must be decoded.

    Raises:
        ValueError, IndexError or struct.error: the file is damaged.
    """

    def __init__(self, data: bytes) -> None:
        found = tags(data)
        require_whole(data, found)
        self._bits, self._channels = first(found, BITS, 1), first(found, CHANNELS, 1)
        self._colours, self._planes = first(found, COLOURS, BLACK_IS_ZERO), first(found, PLANES, 1)
        own = 3 if self._colours in (RGB, YCBCR) else 1
        # Some programs, OpenCV among them, leave out what a fourth channel is.
        self._alpha = first(found, EXTRA, STRAIGHT if own == 3 else ASSOCIATED) or STRAIGHT
        self._has_alpha = self._channels == own + 1
        # OpenCV turns 8 bits round itself.
        self.white_is_zero = self._colours == WHITE_IS_ZERO and self._bits > 8
        # Which Pillow, that reads their alpha channels, does not know.
        self._unknown = data.startswith(b"MM\0+")
        self._unsigned = first(found, SAMPLES, UNSIGNED) == UNSIGNED
        self.data = _neutral(data, found)

    def fault(self) -> str | None:
        """Why it would be decoded wrong, if it would be, and what to do."""
        deep = self._bits > 8
        if self._colours in OTHER_COLOURS:
            return f"a TIFF in {OTHER_COLOURS[self._colours]} colours; save it as RGB or grey"
        if self._colours > YCBCR or (self._colours == YCBCR and deep):
            return "a TIFF of other colours than RGB and grey; save it as PNG"
        if self._bits not in (1, 2, 4, 8, 16, 32, 64):
            return f"a TIFF of {self._bits} bits per channel; save it with 8 or 16"
        if deep and self._planes > 1 and self._channels > 1:
            return "a TIFF that stores its channels one after the other; save it as PNG"
        if self._channels == 2 and (deep or self._alpha != STRAIGHT):
            return "a grey TIFF with a second channel; save it as PNG"
        if self._has_alpha and self._unknown:
            return "a big-endian BigTIFF with an alpha channel; save it as PNG"
        if deep and self._has_alpha and self._alpha == ASSOCIATED:
            return "a TIFF whose colours are multiplied by alpha; save it with straight alpha"
        if self.white_is_zero and not (self._bits == 16 and self._unsigned):
            return "a TIFF in which white is 0; save it with 0 for black"
        return None

    def with_alpha(self) -> np.ndarray | None:
        """Its pixels (H, W, 4) where it has 8 bits and an alpha channel; None of others.

        OpenCV multiplies the colours by that, and of a grey one leaves the alpha channel out.
        """
        if self._bits != 8 or not self._has_alpha:
            return None
        with warnings.catch_warnings(), Image.open(io.BytesIO(self.data)) as image:
            warnings.simplefilter("ignore")  # of tags that have nothing to do with its pixels
            if "A" not in image.getbands():
                raise ValueError("no alpha channel")
            return np.asarray(image.convert("RGBA"))


def _neutral(data: bytes, found: dict[int, Tag]) -> bytes:
    """The same file without an orientation, by which decoders would turn it.

    An extra channel that is not said to be anything becomes an alpha channel.
    """
    changed = bytearray(data)
    for tag, old, new in ((ORIENTATION, range(2, 9), 1), (EXTRA, (UNSPECIFIED,), STRAIGHT)):
        if tag in found and found[tag].values[:1] and found[tag].values[0] in old:
            values = (new, *found[tag].values[1:])
            struct.pack_into(found[tag].form, changed, found[tag].at, *values)
    return bytes(changed)
