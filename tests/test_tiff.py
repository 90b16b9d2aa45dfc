"""A TIFF is decoded as its pixels are stored, or refused by name: never turned, never mixed."""

import numpy as np
import pytest

from tests.refusals import refused
from tests.tiffs import ASSOCIATED, CMYK, LAB, UNASSOCIATED, WHITE_IS_ZERO, YCBCR, tiff
from utils.images.decode import decode
from utils.images.reading import read_alpha, read_cutout, read_image
from utils.images.sizes import image_size

LAYOUTS = [{"big": big, "order": order} for big in (False, True) for order in "<>"]
everywhere = pytest.mark.parametrize("layout", LAYOUTS)


def noise(*channels: int, dtype: type = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(1, top, (5, 7, *channels), dtype=dtype)


@everywhere
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_orientation_is_never_applied(tmp_path, layout, orientation, dtype):
    pixels = noise(3, dtype=dtype)
    path = tiff(tmp_path / "a.tif", pixels, orientation=orientation, **layout)
    assert np.array_equal(decode(path), pixels)
    assert image_size(path) == (5, 7)
    grey = tiff(tmp_path / "grey.tif", pixels[..., 0], orientation=orientation, **layout)
    assert np.array_equal(decode(grey), pixels[..., 0])
    cutout = tiff(
        tmp_path / "cutout.tif", noise(4), None, UNASSOCIATED, orientation, order=layout["order"]
    )
    assert np.array_equal(decode(cutout), noise(4))


@everywhere
@pytest.mark.parametrize("extra", [None, 0, UNASSOCIATED])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_are_not_multiplied_by_their_alpha(tmp_path, layout, extra, dtype):
    pixels = noise(4, dtype=dtype)
    path = tiff(tmp_path / "a.tif", pixels, extra=extra, **layout)
    if layout == {"big": True, "order": ">"}:
        assert "big-endian BigTIFF with an alpha channel; save it as PNG" in refused(decode, path)
    else:
        assert np.array_equal(decode(path), pixels)


def test_the_alpha_of_a_grey_picture_is_kept_or_the_file_refused(tmp_path):
    pixels = noise(2)
    path = tiff(tmp_path / "a.tif", pixels, extra=UNASSOCIATED)
    assert np.array_equal(read_cutout(path)[1], pixels[..., 1])
    assert np.array_equal(decode(path), pixels[..., [0, 0, 0, 1]])
    for options in ({"extra": ASSOCIATED}, {}):
        path = tiff(tmp_path / "a.tif", pixels, **options)
        assert "a grey TIFF with a second channel; save it as PNG" in refused(decode, path)
    path = tiff(tmp_path / "a.tif", noise(2, dtype=np.uint16), extra=UNASSOCIATED)
    assert "a grey TIFF with a second channel" in refused(read_alpha, path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_that_are_no_rgb_are_called_by_their_names(tmp_path, dtype):
    for colours, said in ((LAB, "CIE Lab"), (CMYK, "CMYK")):
        pixels = noise(4 if colours == CMYK else 3, dtype=dtype)
        path = tiff(tmp_path / "a.tif", pixels, colours)
        assert f"a TIFF in {said} colours; save it as RGB" in refused(read_image, path)


def test_white_is_white_in_every_depth_or_the_file_refused(tmp_path):
    for dtype in (np.uint8, np.uint16):
        path = tiff(tmp_path / "a.tif", noise(dtype=dtype), WHITE_IS_ZERO)
        assert np.array_equal(decode(path), np.iinfo(dtype).max - noise(dtype=dtype))
    path = tiff(tmp_path / "a.tif", noise().astype(np.float32), WHITE_IS_ZERO)
    assert "white is 0" in refused(decode, path)


def test_planes_of_sixteen_bits_and_odd_kinds_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    assert np.array_equal(decode(tiff(path, noise(3), planes=True)), noise(3))
    for said, pixels, options in (
        ("one after the other", noise(3, dtype=np.uint16), {"planes": True}),
        ("multiplied by alpha", noise(4, dtype=np.uint16), {"extra": ASSOCIATED}),
        ("12 bits", noise(), {"more": {258: 12}}),
        ("other colours", noise(3, dtype=np.uint16), {"colours": YCBCR}),
        ("int32", noise().astype(np.int32), {}),
    ):
        assert said in refused(read_image, tiff(path, pixels, **options))


def test_a_damaged_directory_is_damage(tmp_path):
    path = tiff(tmp_path / "a.tif", noise(3))
    whole = path.read_bytes()
    for data in (whole[:6], whole[:60], whole[:4] + b"\xff\xff\xff\xff" + whole[8:]):
        path.write_bytes(data)
        assert "a.tif: " in refused(read_image, path)
