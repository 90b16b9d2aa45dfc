"""Stored pixels are decoded right, whatever the format, or the file is refused in one line."""

import io
import itertools
import struct

import cv2
import numpy as np
import pytest
import simplejpeg
import tifffile
from PIL import Image

from tests.pngs import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, chunk, png
from tests.refusals import refused
from tests.sets import disc, picture
from utils.images.decode import decode, image_size
from utils.images.reading import read_alpha, read_cutout, read_image
from utils.images.writing import write_image

ORIENTATION_6 = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
DAMAGED = "the file is truncated or damaged; copy it again"
JPEGS = {
    "usual": {},
    "own codes": {"optimize": True},
    "progressive": {"progressive": True},
    "all chroma": {"subsampling": 0},
    "half chroma": {"subsampling": 1},
}
TIFFS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")


def noise(*channels: int, dtype: type = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(1, top, (37, 53, *channels), dtype=dtype)


def photograph(mode: str = "RGB") -> Image.Image:
    rgb = picture(0, 120, 160).astype(int) + np.random.default_rng(0).integers(
        -20, 20, (120, 160, 3)
    )
    rgb = rgb.clip(0, 255).astype(np.uint8)
    if mode == "RGBA":
        return Image.fromarray(np.dstack((rgb, disc(120, 160))))
    return Image.fromarray(rgb).convert(mode)


def saved(image: Image.Image, format_: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


# --- JPEG ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mode, kind", [*itertools.product(("L", "RGB"), JPEGS), ("CMYK", "all chroma")]
)
def test_a_jpeg_has_the_pixels_that_opencv_makes_of_it_at_any_size(tmp_path, mode, kind):
    data = saved(photograph(mode), "JPEG", quality=90, **JPEGS[kind])
    (tmp_path / "a.jpg").write_bytes(data)
    assert image_size(tmp_path / "a.jpg") == (120, 160)
    for shrink in (1, 2, 4, 8):
        flags = cv2.IMREAD_COLOR if shrink == 1 else getattr(cv2, f"IMREAD_REDUCED_COLOR_{shrink}")
        expected = cv2.imdecode(np.frombuffer(data, np.uint8), flags)[..., ::-1]
        assert np.array_equal(read_image(tmp_path / "a.jpg", shrink), expected)


def test_a_cmyk_jpeg_of_odd_subsampling_is_read(tmp_path):
    photograph("CMYK").save(tmp_path / "a.jpg", quality=95)
    difference = read_image(tmp_path / "a.jpg").astype(int) - np.array(photograph())
    assert np.abs(difference).mean() < 8


def test_exif_orientation_is_not_applied_at_any_size(tmp_path):
    write_image(tmp_path / "plain.jpg", noise(3))
    data = (tmp_path / "plain.jpg").read_bytes()
    head = b"\xff\xe1" + struct.pack(">H", len(ORIENTATION_6) + 2) + ORIENTATION_6
    turned = tmp_path / "turned.jpg"
    turned.write_bytes(data[:2] + head + data[2:])
    assert cv2.imread(str(turned), cv2.IMREAD_COLOR).shape == (53, 37, 3)  # the tag is understood
    assert np.array_equal(decode(turned), decode(tmp_path / "plain.jpg"))
    assert read_image(turned, 2).shape == (19, 27, 3)
    assert image_size(turned) == (37, 53)


@pytest.mark.parametrize("kind", ["usual", "progressive"])
def test_a_jpeg_whose_scan_is_cut_before_its_end_marker_is_refused(tmp_path, kind, capfd):
    data = saved(photograph(), "JPEG", quality=95, **JPEGS[kind])
    half = (data.index(b"\xff\xda") + len(data)) // 2
    (tmp_path / "a.jpg").write_bytes(data[:half] + data[-2:])
    for shrink in (1, 4):
        message = refused(read_image, tmp_path / "a.jpg", shrink)
        assert message == f"{tmp_path}/a.jpg: {DAMAGED}"
    assert capfd.readouterr().err == ""


def test_what_cameras_write_against_the_standard_is_read(tmp_path):
    data = saved(photograph(), "JPEG")
    at = data.index(b"\xff\xda") + 4 + 1 + 2 * 3  # the end of the spectrum, behind 3 components
    odd = data[: at + 1] + b"\0" + data[at + 2 :]
    with pytest.raises(ValueError, match="Invalid SOS"):
        simplejpeg.decode_jpeg(odd)
    (tmp_path / "a.jpg").write_bytes(odd)
    assert np.array_equal(decode(tmp_path / "a.jpg"), simplejpeg.decode_jpeg(data))


# --- PNG ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("kind, channels", [(GREY, 1), (RGB, 3), (GREY_ALPHA, 2), (RGBA, 4)])
def test_a_png_of_8_and_16_bits(tmp_path, depth, kind, channels):
    stored = noise(channels, dtype=np.uint8 if depth == 8 else np.uint16)
    rows = [row.astype(row.dtype.newbyteorder(">")).tobytes() for row in stored]
    path = png(tmp_path / "a.png", 53, depth, kind, rows)
    expected = stored[..., [0, 0, 0, 1]] if channels == 2 else stored
    assert np.array_equal(decode(path), expected[..., 0] if channels == 1 else expected)


def test_palettes_and_transparent_colours_are_expanded(tmp_path):
    colours = chunk(b"PLTE", bytes([10, 20, 30, 255, 0, 0, 0, 0, 255]))
    path = png(tmp_path / "a.png", 3, 8, PALETTE, [[2, 0, 1]], colours)
    assert decode(path).tolist() == [[[0, 0, 255], [10, 20, 30], [255, 0, 0]]]
    path = png(tmp_path / "b.png", 3, 8, PALETTE, [[2, 0, 1]], colours + chunk(b"tRNS", b"\0\x63"))
    assert decode(path).tolist() == [[[0, 0, 255, 255], [10, 20, 30, 0], [255, 0, 0, 99]]]
    key = chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))
    path = png(tmp_path / "c.png", 2, 8, RGB, [[1, 2, 3, 4, 5, 6]], key)
    assert decode(path).tolist() == [[[1, 2, 3, 0], [4, 5, 6, 255]]]


def test_sixteen_bits_are_scaled_and_rounded(tmp_path):
    row = struct.pack(">4H", 0, 65535, 257 * 100 + 128, 257 * 100 + 129)
    assert read_alpha(png(tmp_path / "a.png", 4, 16, GREY, [row])).tolist() == [[0, 255, 100, 101]]
    row = struct.pack(">3H", 65535, 0, 32896)
    assert read_image(png(tmp_path / "b.png", 1, 16, RGB, [row])).tolist() == [[[255, 0, 128]]]


def test_a_png_with_a_flipped_bit_is_refused(tmp_path, capfd):
    path = tmp_path / "a.png"
    write_image(path, noise(3))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert DAMAGED in refused(decode, path)
    assert capfd.readouterr().err == ""


# --- TIFF ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_a_tiff_has_its_pixels_as_they_are_stored_whatever_its_orientation(tmp_path, planes):
    path, pixels = tmp_path / "a.tif", noise(3, dtype=np.uint16)
    stored = pixels if planes == "contig" else np.moveaxis(pixels, -1, 0)
    turned = [(274, "H", 1, 6, True)]
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planes, extratags=turned)
    assert np.array_equal(decode(path), pixels) and image_size(path) == (37, 53)


@pytest.mark.parametrize("compression", TIFFS)
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_a_tiff_of_any_compression_has_the_pixels_that_pillow_reads(tmp_path, mode, compression):
    if compression == "jpeg" and mode in ("1", "P"):
        pytest.skip("no such TIFF")
    path = tmp_path / "a.tif"
    photograph(mode).save(path, compression=compression)
    with Image.open(path) as image:
        image = image.convert({"1": "L", "P": "RGB"}.get(mode, mode))
        assert np.array_equal(decode(path), np.array(image))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_pixels_are_decoded_but_are_no_picture(tmp_path, dtype):
    path, pixels = tmp_path / "a.tif", (noise() / 255).astype(dtype)
    tifffile.imwrite(path, pixels, photometric="minisblack")
    assert np.array_equal(decode(path), pixels)
    for read in (read_image, read_alpha, read_cutout):
        assert "its pixels are float" in refused(read, path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_channels_of_a_tiff_are_expanded_or_inverted(tmp_path, dtype):
    path, top, pixels = tmp_path / "a.tif", np.iinfo(dtype).max, noise(4, dtype=dtype)
    grey, pair = pixels[..., 0], pixels[..., :2]
    for stored, expected, photometric, extra in (
        (pixels, pixels, "rgb", ["unassalpha"]),
        (pixels, pixels, "rgb", ["unspecified"]),
        (pair, pair[..., [0, 0, 0, 1]], "minisblack", ["unassalpha"]),
        (grey, top - grey, "miniswhite", []),
    ):
        tifffile.imwrite(path, stored, photometric=photometric, extrasamples=extra)
        assert np.array_equal(decode(path), expected)
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["assocalpha"])
    assert "colours multiplied by alpha" in refused(decode, path)


@pytest.mark.parametrize("kind", [1, 0])  # some programs do not say that it is a thumbnail
def test_the_first_page_that_is_no_thumbnail_is_read_and_other_kinds_are_refused(tmp_path, kind):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(noise(3)[::4, ::4], photometric="rgb", subfiletype=kind)
        file.write(noise(3), photometric="rgb")
        file.write(noise(3)[::-1], photometric="rgb")
    assert np.array_equal(decode(path), noise(3)) and image_size(path) == (37, 53)
    for words, pixels, options in (
        ("holds a thumbnail only", noise(3), {"photometric": "rgb", "subfiletype": 1}),
        ("a TIFF in CMYK colours; save it as RGB", noise(4), {"photometric": "separated"}),
        ("its pixels are int32; save it with 8 or 16", noise().astype(np.int32), {}),
        ("it has 5 channels; save it as RGB", noise(5), {"photometric": "rgb"}),
    ):
        tifffile.imwrite(path, pixels, **options)
        assert words in refused(read_image, path)


# --- any format ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, options",
    [
        *((kind, {}) for kind in ("PNG", "JPEG", "BMP", "WEBP")),
        *(("TIFF", {"compression": one, "strip_size": 9999}) for one in TIFFS),
    ],
    ids=str,
)
def test_truncated_file_is_one_line_and_nothing_else(tmp_path, kind, options, capfd):
    path, data = tmp_path / "a.png", saved(photograph(), kind, **options)
    path.write_bytes(data)
    assert read_image(path).shape == (120, 160, 3)
    for share in (0.02, 0.3, 0.5, 0.8, 0.99):
        path.write_bytes(data[: int(share * len(data))])
        assert refused(read_image, path) == f"{path}: {DAMAGED}"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "data, told",
    [
        (b"hello", "not a whole picture; save it again as PNG or JPEG"),
        (b"", "the file is empty; copy it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "run git lfs pull"),
        (b"\n <?xml version='1.0'?>", "a web page or another text"),
    ],
)
def test_what_is_no_picture_is_called_what_it_is(tmp_path, data, told, capfd):
    (tmp_path / "a.png").write_bytes(data)
    for read in (read_image, image_size):
        message = refused(read, tmp_path / "a.png")
        assert message.startswith(f"{tmp_path}/a.png: ") and told in message
    assert capfd.readouterr().err == ""


def test_a_file_that_is_missing_or_a_folder_is_named(tmp_path):
    for read in (read_image, image_size):
        assert "no such file" in refused(read, tmp_path / "missing.png")
        assert "cannot be read" in refused(read, tmp_path)


def test_a_cutout_is_its_colours_and_its_alpha_channel_if_it_has_one(tmp_path):
    path = png(tmp_path / "a.png", 2, 8, RGBA, [[1, 2, 3, 0, 5, 6, 7, 128]])
    colours, alpha = read_cutout(path)
    assert colours.tolist() == [[[1, 2, 3], [5, 6, 7]]] and alpha.tolist() == [[0, 128]]
    assert np.array_equal(read_image(path), colours)
    for name, kind, row in (("grey", GREY, [7, 9]), ("rgb", RGB, [7, 7, 7, 9, 9, 9])):
        colours, alpha = read_cutout(png(tmp_path / f"{name}.png", 2, 8, kind, [row]))
        assert colours.tolist() == [[[7] * 3, [9] * 3]] and alpha is None
