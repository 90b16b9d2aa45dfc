"""matte.py: a photograph and a trimap or mask give a matte, a cut-out and a composite."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

import models
from tests import scripts
from tests.sets import disc, picture
from utils.images.reading import read_alpha, read_cutout, read_image, read_trimap
from utils.images.trimap import make_trimap, mask_trimap
from utils.images.writing import write_image
from utils.infer.inference import Inference
from utils.infer.photographs import ORIENTATIONS, upright
from utils.networks.device import choose, deployed

SIZE = (60, 90)


@pytest.fixture
def photo(tmp_path, monkeypatch):
    """photo.png, trimap.png and mask.png in the working folder."""
    monkeypatch.chdir(tmp_path)
    write_image("photo.png", picture(1, *SIZE))
    write_image("trimap.png", make_trimap(disc(*SIZE), 6))
    write_image("mask.png", np.where(disc(*SIZE) > 127, np.uint8(255), np.uint8(0)))
    return tmp_path


def test_the_matte_is_that_of_inference(photo):
    scripts.main("matte.py", "photo.png", "trimap.png")
    network = deployed(
        models.load(scripts.REPOSITORY / "pretrained/small.safetensors"), choose("cpu")
    )
    expected = Inference().matte(
        network, read_image("photo.png"), read_trimap("trimap.png"), choose("cpu")
    )
    np.testing.assert_array_equal(read_alpha("photo_matte.png"), expected)


def test_a_cutout_over_its_background_is_the_composite_and_keeps_no_old_background(photo):
    image = np.zeros((*SIZE, 3), np.uint8)
    image[..., 1] = 255  # a green screen
    alpha = disc(*SIZE, softness=8) / 255
    image = np.rint(alpha[..., None] * [200, 30, 60] + (1 - alpha[..., None]) * image)
    write_image("photo.png", image.astype(np.uint8))
    scripts.main("matte.py", "photo.png", "trimap.png", "--cutout", "--background", "#0000ff")
    colour, matte = read_cutout("photo_cutout.png")
    np.testing.assert_array_equal(matte, read_alpha("photo_matte.png"))
    soft = (matte > 100) & (matte < 250)
    assert soft.any() and colour[soft][:, 1].max() < image[soft][:, 1].max() - 20
    share = matte[..., None] / 255
    composite = share * colour + (1 - share) * np.array([0, 0, 255])
    np.testing.assert_allclose(read_image("photo_composite.png"), composite, atol=1)


def test_a_mask_gives_its_trimap(photo):
    write_image("wide.png", picture(2, 20, 300))
    scripts.main(
        *("matte.py", "photo.png", "--mask", "mask.png", "--width", "5", "--out", "mattes"),
        *("--save-trimap", "--background", "wide.png"),
    )
    trimap = read_trimap("mattes/photo_trimap.png")
    np.testing.assert_array_equal(trimap, make_trimap(read_alpha("mask.png"), 5))
    matte = read_alpha("mattes/photo_matte.png")
    assert (matte[trimap == 255] == 255).all() and not matte[trimap == 0].any()


@given(st.integers(2, 12), st.integers(0, 255))
def test_a_masks_trimap_knows_what_is_far_from_its_edge(width, soft):
    mask = np.where(disc(50, 60) > 127, np.uint8(255), np.uint8(0))
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    mask[25, 30] = soft
    trimap = mask_trimap(mask, width)
    assert (trimap[25, 30] == 128) == (13 < soft < 242 or soft <= 13)
    assert (trimap[edge] == 128).all()
    assert (trimap[:4, :4] == 0).all()


@pytest.mark.parametrize("orientation", [1, *ORIENTATIONS])
def test_pictures_stand_as_a_viewer_shows_them(orientation, tmp_path):
    stored = picture(3, 20, 30)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(stored).save(tmp_path / "photo.png", exif=exif)
    with Image.open(tmp_path / "photo.png") as file:
        expected = np.asarray(ImageOps.exif_transpose(file))
    np.testing.assert_array_equal(upright(tmp_path / "photo.png", stored), expected)


def test_folders_and_globs_go_together_by_name(photo):
    for name in ("a", "b"):
        write_image(f"photos/{name}.jpg", picture(1, *SIZE))
        write_image(f"trimaps/{name}.png", make_trimap(disc(*SIZE), 6))
    scripts.main("matte.py", "photos", "--trimap", "trimaps", "--out", "mattes")
    assert scripts.refusal("matte.py", "photos/c.jpg", "--trimap", "trimaps").startswith(
        "photos/c.jpg"
    )
    scripts.main("matte.py", "photos/[a]*.jpg", "--trimap", "trimaps", "--out", "mattes/a")
    written = sorted(str(path.relative_to(photo)) for path in photo.glob("mattes/**/*.png"))
    assert written == ["mattes/a/a_matte.png", "mattes/a_matte.png", "mattes/b_matte.png"]


def test_a_photograph_of_one_pixel_is_cut_out(photo):
    write_image("one.png", np.full((1, 1, 3), 77, np.uint8))
    write_image("unknown.png", np.full((1, 1), 128, np.uint8))
    scripts.main("matte.py", "one.png", "unknown.png", "--cutout")
    assert read_cutout("one_cutout.png")[0].tolist() == [[[77, 77, 77]]]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("photo.png", "photo.png: needs a trimap or a mask: give --trimap (0"),
        ("photo.png --mask empty.png", "empty.png: a mask that marks nothing has no edge to matte"),
        ("photo.png known.png", "known.png: "),
        ("photo.png --mask small.png", "photo.png is 90 x 60, but small.png is 30 x 20; make them"),
        (
            "photo.png --mask mask.png --width x",
            "--width x: write pixels, as 12, or percent,",
        ),
        ("photo.png trimap.png --width 3", "--width: is of a mask's trimap; give --mask"),
        ("photo.png trimap.png --background x", "--background x: no colour; write one like green"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(photo, arguments, line):
    write_image("empty.png", np.zeros(SIZE, np.uint8))
    write_image("known.png", np.full(SIZE, 255, np.uint8))
    write_image("small.png", disc(20, 30))
    before = set(photo.iterdir())
    assert scripts.refusal("matte.py", *arguments.split()).startswith(line)
    assert set(photo.iterdir()) == before


def test_a_picture_that_takes_too_much_memory_is_named(photo, monkeypatch):
    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr(Inference, "matte", exhausted)
    line = scripts.refusal("matte.py", "photo.png", "trimap.png")
    assert line.startswith("photo.png: out of memory")


def test_nothing_is_replaced_unless_asked_for(photo):
    write_image("photo_matte.png", disc(*SIZE))
    line = scripts.refusal("matte.py", "photo.png", "trimap.png")
    assert line == "photo_matte.png: is there already; --overwrite replaces it"
    scripts.main("matte.py", "photo.png", "trimap.png", "--overwrite")
    assert (read_alpha("photo_matte.png") != disc(*SIZE)).any()
