"""The one decoder of pictures: the pixels that a file holds, or one line that says why not.

EXIF orientation is never applied: pictures, mattes and trimaps are taken as their pixels are
stored, so that the files of one picture cannot be turned differently.
"""

import io
import logging
import warnings
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import simplejpeg
import tifffile
from PIL import Image
from tifffile import PHOTOMETRIC

from models.errors import InputError

# What decoders have to say about a file that we cannot use, we say ourselves, in one line.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
Image.MAX_IMAGE_PIXELS = None

PNG, JPEG, BMP, WEBP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"BM", b"RIFF"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
HARMLESS = ("Invalid SOS parameters", "Warning: unknown JFIF revision")  # cameras write such files
POINTER = b"version https://git-lfs"
OTHER_COLOURS = {PHOTOMETRIC.SEPARATED: "CMYK", PHOTOMETRIC.CIELAB: "CIE Lab"}
ASSOCIATED = 1  # alpha by which the colours are multiplied


def decode(path: Path | str, shrink: int = 1) -> np.ndarray:
    """The pixels of a picture as they are stored: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA.

    Of the depth of the file; palettes are expanded.

    Args:
        shrink: 1, 2, 4 or 8; a JPEG is decoded at a size that many times smaller, which is faster.

    Raises:
        InputError: the file is missing, unreadable, truncated or no picture.
    """
    path = Path(path)
    data = read_file(path)
    try:
        if data.startswith(JPEG):
            pixels = _jpeg(data, shrink)
        elif data.startswith(PNG):
            pixels = _png(data)
        elif data.startswith(TIFF):
            pixels = _tiff(path, data)
        else:
            pixels = _opencv(data)
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{path}: does not fit into memory; make it smaller") from None
    except Exception:  # each library has errors of its own, and of its own libraries
        raise InputError(f"{path}: {what_is_wrong(data)}") from None
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        raise InputError(f"{path}: it has {pixels.shape[2]} channels; save it as RGB or grey PNG")
    return pixels


def image_size(path: Path | str) -> tuple[int, int]:
    """The (height, width) of a picture, from its header where that is whole.

    Raises:
        InputError: the file is missing or no picture.
    """
    try:
        with Path(path).open("rb") as file:
            size = _header_size(file)
    except OSError:  # which `decode` explains
        size = None
    return size or decode(path).shape[:2]


def read_file(path: Path) -> bytes:
    """The bytes of a picture's file.

    Raises:
        InputError: the file is missing, unreadable or empty.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    if not data:
        raise InputError(f"{path}: the file is empty; copy it again")
    return data


def checked_png(data: bytes) -> Image.Image:
    """A PNG whose checksums are right, opened by Pillow; raises errors of Pillow's otherwise."""
    with Image.open(io.BytesIO(data)) as image:
        image.verify()
    return Image.open(io.BytesIO(data))


def what_is_wrong(data: bytes) -> str:
    """What a file that is not decoded is, by its first bytes, and what to do."""
    if data.startswith((PNG, JPEG, BMP, WEBP, *TIFF)):
        return "the file is truncated or damaged; copy it again"
    if data.startswith(POINTER):
        return "a pointer of Git LFS, not the file itself; run git lfs pull"
    if data.lstrip().startswith(b"<"):
        return "a web page or another text; download the file itself"
    return "not a whole picture; save it again as PNG or JPEG"


def _header_size(file: BinaryIO) -> tuple[int, int] | None:
    """The (height, width) that a header tells; None where it cannot be read so."""
    is_tiff = file.read(4) in TIFF
    file.seek(0)
    try:
        if is_tiff:  # of which Pillow would turn the size by the orientation
            with tifffile.TiffFile(file) as tiff:
                page = _whole_page(tiff)
                return page and (page.imagelength, page.imagewidth)
        with Image.open(file) as image:
            return image.height, image.width
    except Exception:  # whatever is wrong, `decode` says it
        return None


def _jpeg(data: bytes, shrink: int) -> np.ndarray:
    """Strictly: what libjpeg only warns of is an error."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return _opencv(data)  # CMYK of odd subsampling
    size = {
        "min_factor": shrink,
        "min_height": -(-height // shrink),
        "min_width": -(-width // shrink),
    }
    space = "GRAY" if colours == "Gray" else "RGB"
    try:
        pixels = simplejpeg.decode_jpeg(data, space, **size)
    except ValueError as error:
        if not str(error).startswith(HARMLESS):
            raise
        pixels = simplejpeg.decode_jpeg(data, space, strict=False, **size)
    return pixels[..., 0] if space == "GRAY" else pixels


def _png(data: bytes) -> np.ndarray:
    image = checked_png(data)
    if data[24] == 16:  # the depth; of 16-bit colours Pillow keeps 8
        return _opencv(data)
    if image.mode in ("LA", "PA") or ("transparency" in image.info and image.mode in ("P", "RGB")):
        image = image.convert("RGBA")
    elif image.mode in ("P", "1"):
        image = image.convert("RGB" if image.mode == "P" else "L")
    return np.array(image)


def _opencv(data: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("not decoded")
    if pixels.ndim == 2 or pixels.shape[2] not in (3, 4):
        return np.squeeze(pixels, 2) if pixels.shape[2:] == (1,) else pixels
    code = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    return cv2.cvtColor(pixels, code)


def _whole_page(file: tifffile.TiffFile) -> tifffile.TiffPage | None:
    """The first of the largest pages that are called neither thumbnail nor mask."""
    pages = [page for page in file.pages if not (page.is_reduced or page.is_mask)]
    return max(pages, key=lambda page: page.imagelength * page.imagewidth, default=None)


def _tiff(path: Path, data: bytes) -> np.ndarray:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        if not file.pages:
            raise ValueError("truncated")
        page = _whole_page(file)
        fault = _tiff_fault(page)
        if fault:
            raise InputError(f"{path}: {fault}")
        ends = (sum(part) for part in zip(page.dataoffsets, page.databytecounts, strict=True))
        if max(ends) > len(data):  # of which tifffile makes zeros
            raise ValueError("truncated")
        pixels = page.asarray(maxworkers=1)
    if page.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, -1)
    if page.photometric == PHOTOMETRIC.PALETTE:
        return np.moveaxis(page.colormap[:, pixels] >> 8, 0, -1).astype(np.uint8)
    if pixels.dtype == np.float16:
        pixels = pixels.astype(np.float32)
    if page.bitspersample < 8:
        pixels = pixels.astype(np.uint8) * np.uint8(255 // (2**page.bitspersample - 1))
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        pixels = np.iinfo(pixels.dtype).max - pixels
    if page.samplesperpixel == 2:
        pixels = pixels[..., [0, 0, 0, 1]]
    return np.ascontiguousarray(pixels)


def _tiff_fault(page: tifffile.TiffPage | None) -> str:
    """Why the page of a TIFF cannot be used, and what to do; empty if it can."""
    if page is None:
        return "holds a thumbnail only; save the picture itself as PNG"
    if page.photometric in OTHER_COLOURS:
        return f"a TIFF in {OTHER_COLOURS[page.photometric]} colours; save it as RGB or grey"
    if page.extrasamples[:1] == (ASSOCIATED,):
        return "a TIFF of colours multiplied by alpha; save it with straight alpha, or as PNG"
    if page.bitspersample not in (1, 2, 4, 8, 16, 32, 64):
        return f"a TIFF of {page.bitspersample} bits per channel; save it with 8 or 16"
    bare = page.photometric == PHOTOMETRIC.YCBCR and page.compression not in (6, 7)  # JPEG
    inverted = page.photometric == PHOTOMETRIC.MINISWHITE and page.dtype.kind == "f"
    other = page.photometric > PHOTOMETRIC.YCBCR or page.axes not in ("YX", "YXS", "SYX")
    mixed = page.photometric == PHOTOMETRIC.PALETTE and page.samplesperpixel > 1
    if other or bare or inverted or mixed:
        return "a TIFF of a rare kind; save it as PNG"
    return ""
