"""Training samples: drawn from seed, epoch and index alone, centred, aligned, at any size."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.sets import disc, picture
from utils.config.options import AugmentConfig, DataConfig
from utils.data.compose.arithmetic import compose
from utils.data.crops.background import Cache
from utils.data.crops.crop_set import CropSet, Item
from utils.data.folders import foregrounds
from utils.data.samples import SampleResult
from utils.data.store import Store, build_store
from utils.images.trimap import unknown_radius
from utils.images.writing import write_image

KINDS = ("varied", "independent", "distance", "narrow")
PLAIN = {"flip": False, "jitter": 0.0}
EVERYTHING = {
    "jitter": 0.1,
    "jitter_foreground": True,
    "fuse": 0.5,
    "affine": True,
    "squash": 0.25,
    "random_interpolation": True,
    "thin": 0.5,
    "linear_light": 0.5,
    "defocus": 0.5,
    "gamma": 0.5,
    "blur": 0.5,
    "noise": 0.5,
    "jpeg": 0.5,
}
FLAT = (30, 160, 220)


def write_foreground(root: Path, name: str, alpha: np.ndarray, colours: np.ndarray) -> None:
    write_image(root / "train" / "fg" / f"{name}.png", colours)
    write_image(root / "train" / "alpha" / f"{name}.png", alpha)


def background(root: Path, name: str = "flat", colours: np.ndarray | None = None) -> Path:
    path = root / "train" / "bg" / f"{name}.png"
    write_image(path, np.full((50, 60, 3), FLAT, np.uint8) if colours is None else colours)
    return path


def crop_set(
    root: Path,
    behind: list[Path],
    each: int = 10,
    seed: int = 0,
    augment: dict = PLAIN,
    subset: str = "train",
    **data,
) -> CropSet:
    """Crops of all foregrounds of a set over any of the backgrounds."""
    build_store(root)
    items = [Item(one) for one in foregrounds(root, "train") for _ in range(each)]
    options = DataConfig(**{"crop": 32, "crop_scales": (1.0,), **data})
    augment = AugmentConfig(**augment)
    return CropSet(Store(root), items, behind, options, augment, seed, subset=subset)


def crops(
    root: Path,
    alpha: np.ndarray,
    scenery: np.ndarray | None = None,
    colours: np.ndarray | None = None,
    **options,
) -> CropSet:
    """Crops of one foreground over one background, by default a flat one."""
    colours = picture(0, *alpha.shape) if colours is None else colours
    write_foreground(root, "one", alpha, colours)
    return crop_set(root, [background(root, "bg", scenery)], **options)


def arrays(sample: SampleResult) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(image (H,W,3), trimap (H,W), alpha (H,W))."""
    image, trimap, alpha = sample.sample[:3]
    return image.permute(1, 2, 0).numpy(), trimap[0].numpy(), alpha[0].numpy()


def same(a: SampleResult, b: SampleResult) -> bool:
    return all(one.equal(other) for one, other in zip(a.sample[:3], b.sample[:3], strict=True))


def soft(alpha: np.ndarray) -> np.ndarray:
    return (alpha > 0) & (alpha < 255)


def speckled(height: int, width: int) -> np.ndarray:
    """A matte with hard and soft edges everywhere, for alignment."""
    coarse = np.random.default_rng(3).integers(0, 256, (height // 8, width // 8), np.uint8)
    large = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return ((large - 128) * 4 + 128).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("augment", [{}, EVERYTHING], ids=["default", "everything"])
def test_a_sample_depends_on_seed_epoch_and_index_alone(tmp_path, augment):
    for i in range(3):
        write_foreground(tmp_path, f"f{i}", disc(80, 90 + 9 * i), picture(i, 80, 90 + 9 * i))
    behind = [background(tmp_path, f"b{i}", picture(50 + i, 60, 70)) for i in range(3)]

    def make(seed: int = 0, cache_mb: int = 64) -> CropSet:
        scales = (1.0, 1.5, 2.0)
        return crop_set(tmp_path, behind, 4, seed, augment, crop_scales=scales, cache_mb=cache_mb)

    keys = [(epoch, index) for epoch in (0, 1, 5) for index in range(12)]
    first, again, uncached = make(), make(), make(cache_mb=0)
    wanted = {key: first[key] for key in keys}
    assert all(same(again[key], wanted[key]) for key in reversed(keys))
    assert all(same(uncached[key], wanted[key]) for key in keys[::5])
    assert all(same(first[key], wanted[key]) for key in keys[::5])
    images = {made.sample.image.numpy().tobytes() for made in wanted.values()}
    assert len(images) == len(keys), "every epoch and index sees something else"
    assert not any(same(make(seed=1)[key], wanted[key]) for key in keys[::5])


def test_a_plain_sample_is_the_composition_of_a_window(tmp_path):
    alpha = speckled(72, 88)
    whole = compose(picture(0, 72, 88), alpha, np.full((72, 88, 3), FLAT, np.uint8))
    samples = crops(tmp_path, alpha)
    places = set()
    for index in range(10):
        image, _, matte = arrays(samples[0, index])
        match = cv2.matchTemplate(whole, image, cv2.TM_SQDIFF)
        y, x = np.unravel_index(match.argmin(), match.shape)
        window = slice(y, y + 32), slice(x, x + 32)
        assert np.array_equal(image, whole[window])
        assert np.array_equal(matte, alpha[window])
        places.add((y, x))
    assert len(places) > 5


def test_every_scale_is_drawn_alike_often(tmp_path):
    ramp = np.repeat(np.arange(240, dtype=np.uint8)[None, :, None], 200, 0).repeat(3, 2)
    samples = crops(
        tmp_path, np.full((200, 240), 255, np.uint8), colours=ramp, crop_scales=(1, 2, 4)
    )
    images = (samples[epoch, 0].sample.image[0, 0].numpy() for epoch in range(90))
    slopes = [round((int(row[-1]) - int(row[0])) / 31) for row in images]
    assert set(slopes) == {1, 2, 4} and min(map(slopes.count, (1, 2, 4))) > 18


@pytest.mark.parametrize("scale", [1.0, 1.5])
@pytest.mark.parametrize("trimap", KINDS)
def test_the_centre_is_unknown_where_the_picture_is_larger_than_the_crop(tmp_path, scale, trimap):
    samples = crops(
        tmp_path, disc(200, 220), crop_scales=(scale,), trimap=trimap, trimap_radius=(3, 20)
    )
    for index in range(10):
        unknown = arrays(samples[0, index])[1] == 128
        assert unknown[15:18, 15:18].any()  # after resizing, it lies between pixels
        assert unknown[16, 16] or scale != 1


@pytest.mark.parametrize("augment", [{}, EVERYTHING], ids=["default", "everything"])
def test_every_soft_pixel_is_unknown_and_known_pixels_have_their_alpha(tmp_path, augment):
    for trimap in KINDS:
        for scale in (1.0, 1.3, 0.4):
            samples = crops(
                tmp_path, speckled(96, 112), crop_scales=(scale,), trimap=trimap, augment=augment
            )
            for index in range(3):
                image, found, alpha = arrays(samples[0, index])
                assert image.shape == (32, 32, 3) and found.shape == alpha.shape == (32, 32)
                assert image.dtype == found.dtype == alpha.dtype == np.uint8
                assert set(np.unique(found)) <= {0, 128, 255}
                assert np.all(found[soft(alpha)] == 128)
                assert np.array_equal(found[found != 128], alpha[found != 128])


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({"hide": 1.0}, "trimap"),
        ({"linear_light": 1.0}, "soft pixels"),
        ({"thin": 1.0}, "alpha, soft pixels"),
        ({"defocus": 1.0}, "soft pixels, background"),
        ({"jitter_foreground": True}, "soft pixels, foreground"),
        ({"jitter": 0.3}, "soft pixels, foreground, background"),
    ],
)
def test_an_augmentation_changes_its_parts_and_nothing_else(tmp_path, options, changed):
    alpha = speckled(80, 80)
    scenery = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    plain, other = (crops(tmp_path, alpha, scenery, augment=PLAIN | o) for o in ({}, options))
    seen: set[str] = set()
    for index in range(6):
        (image, trimap, truth), after = arrays(plain[0, index]), arrays(other[0, index])
        moved = (after[0] != image).any(2)
        places = {
            "soft pixels": moved[soft(truth)],
            "foreground": moved[truth == 255],
            "background": moved[truth == 0],
            "trimap": after[1] != trimap,
            "alpha": after[2] != truth,
        }
        seen |= {name for name, place in places.items() if place.any()}
        assert np.all((after[1] == trimap) | (after[1] == 128))
        assert np.all(after[2] <= truth)
    assert seen == set(changed.split(", "))


def test_of_a_hidden_second_foreground_nothing_is_known_to_be_foreground(tmp_path):
    for name, turned in (("left", False), ("right", True)):
        half = np.zeros((40, 40), np.uint8)
        half[:, :16] = 255
        write_foreground(tmp_path, name, half[:, ::-1] if turned else half, picture(0, 40, 40))
    behind = [background(tmp_path)]
    told, hidden = (
        crop_set(
            tmp_path, behind, crop=40, trimap_radius=(2, 2), augment=PLAIN | {"fuse": 1.0} | more
        )
        for more in ({}, {"hide_fused": 1.0})
    )
    lost = 0
    for index in range(20):
        (image, known, alpha), after = arrays(told[0, index]), arrays(hidden[0, index])
        assert np.array_equal(after[0], image) and np.array_equal(after[2], alpha)
        first = slice(0, 20) if index < 10 else slice(20, 40)
        second = slice(20, 40) if index < 10 else slice(0, 20)
        assert np.array_equal(after[1][:, first], known[:, first])
        assert np.array_equal(after[1][:, second], np.minimum(known[:, second], 128))
        lost += np.any(known[:, second] == 255)
    assert lost > 4


@pytest.mark.parametrize("exact", [False, True])
def test_what_is_soft_shows_colours_of_a_second_foreground_that_is_not_there_unless_exact(
    tmp_path, exact
):
    half = np.zeros((40, 40), np.uint8)
    half[:, :16] = 128
    for name, alpha, level in (("left", half, 200), ("right", half[:, ::-1], 0)):
        write_foreground(tmp_path, name, alpha, np.full((40, 40, 3), level, np.uint8))
    fused = PLAIN | {"fuse": 1.0, "fuse_exact": exact}
    samples = crop_set(tmp_path, [background(tmp_path)], crop=40, augment=fused)
    made = (arrays(samples[epoch, 0]) for epoch in range(20))
    image, _, alpha = next(one for one in made if one[2][:, 24:].any())
    bright = np.full((40, 40, 3), 200, np.uint8)
    alone = compose(bright, alpha, np.full((40, 40, 3), FLAT, np.uint8))
    assert np.array_equal(image[:, :16], alone[:, :16]) == exact


@pytest.mark.parametrize("augment", [PLAIN, EVERYTHING], ids=["plain", "everything"])
def test_a_triplet_is_two_foregrounds_and_their_fusion_in_one_crop_over_one_background(
    tmp_path, augment
):
    for index, alpha in enumerate((speckled(80, 88), speckled(96, 80), np.zeros((64, 64), "u1"))):
        write_foreground(tmp_path, f"f{index}", alpha, picture(index, *alpha.shape))
    behind = [background(tmp_path, f"b{i}", picture(50 + i, 60, 70)) for i in range(9)]
    fused = {**augment, "flip": True, "jitter": 0.0, "fuse": 1.0, "fuse_exact": True}
    plain = crop_set(tmp_path, behind, augment=fused | {"triplets": True}, crop_scales=(1.0, 2.0))
    samples = CropSet(
        *(Store(tmp_path), plain._items, behind, plain._data, plain._options, 0), layers=True
    )
    assert len(samples) == 3 * 30
    unseen = 0
    for draw in range(30):
        first, second, both = (samples[0, 3 * draw + member].sample for member in range(3))
        assert second.background.equal(first.background) and both.background.equal(first.background)
        assert both.trimap.equal(first.trimap.maximum(second.trimap))
        a1, a2 = first.alpha / 255, second.alpha / 255
        assert (both.alpha / 255 - (1 - (1 - a1) * (1 - a2))).abs().max() < 0.6 / 255
        if augment is PLAIN:
            over = first.image + (1 - a1) * (second.image.float() - first.background)
            assert (both.image - over).abs().max() < 3
        unseen += bool(first.alpha.any()) != bool(second.alpha.any())
    assert 0 < unseen < 30


@pytest.mark.parametrize("scale", [0.5, 2.0])
@pytest.mark.parametrize(
    ("subset", "bent", "least", "most"),
    [
        ("train", {"fuse": 1e-9}, 1, 1),
        ("train", {"affine": True}, 0.75, 1.4),
        ("valid", {"fuse": 1.0}, 1, 1),
        ("valid", {"affine": True}, 1, 1),
    ],
)
def test_where_training_bends_or_fuses_a_radius_is_in_pixels_of_the_sample(
    tmp_path, subset, bent, least, most, scale
):
    alpha = np.where(disc(200, 200) > 127, 255, 0).astype(np.uint8)
    options = {"crop": 64, "crop_scales": (scale,), "trimap_radius": (8, 8)}
    samples = crops(tmp_path, alpha, augment=PLAIN | bent, subset=subset, **options)
    for index in range(6):
        _, trimap, shown = arrays(samples[0, index])
        away = unknown_radius(np.where(shown > 127, 255, 0).astype(np.uint8))
        middle = np.s_[14:-14, 14:-14]  # further out an edge beyond the sample may be near
        away, trimap = away[middle], trimap[middle]
        assert np.all(trimap[away < 8 * least - 2] == 128)
        assert np.all(trimap[away > 8 * most + 2] != 128)
        assert np.any(trimap == 128)


def test_half_of_the_samples_are_flipped_image_and_alpha_alike(tmp_path):
    alpha, colours = speckled(32, 32), picture(1, 32, 32)
    alpha[:, :16] //= 2
    black = np.zeros((32, 32, 3), np.uint8)
    samples = crops(tmp_path, alpha, black, colours, augment={"jitter": 0.0})
    whole, turned = compose(colours, alpha, black), 0
    for index in range(10):
        image, _, matte = arrays(samples[0, index])
        flipped = slice(None, None, 1 if np.array_equal(matte, alpha) else -1)
        assert np.array_equal(matte, alpha[:, flipped])
        assert np.array_equal(image, whole[:, flipped])
        turned += flipped.step == -1
    assert 0 < turned < 10


def test_a_degradation_is_applied_once(tmp_path):
    grey = np.full((40, 40, 3), 128, np.uint8)
    opaque = np.full((40, 40), 255, np.uint8)
    samples = crops(tmp_path, opaque, colours=grey, augment=PLAIN | {"gamma": 1.0})
    seen = np.array([samples[epoch, 0].sample.image.numpy().mean() for epoch in range(40)])
    exponents = np.log(seen / 255) / np.log(128 / 255)
    assert 0.69 < exponents.min() < 0.8 and 1.2 < exponents.max() < 1.41


def test_a_foregrounds_colours_are_jittered_by_what_is_seen_of_them(tmp_path):
    alpha, colours = disc(80, 80), picture(0, 80, 80)
    hidden = np.where(alpha[..., None] > 0, colours, 255 - colours // 4)
    jittered = PLAIN | {"jitter_foreground": True}
    one, other = (
        [arrays(crops(tmp_path, alpha, colours=each, augment=jittered)[0, i]) for i in range(5)]
        for each in (colours, hidden)
    )
    plain = crops(tmp_path, alpha, colours=colours)
    for index, ((image, _, truth), (again, _, _)) in enumerate(zip(one, other, strict=True)):
        # Beside the edge linear interpolation sees what is hidden.
        inside = truth == 255
        assert np.array_equal(image[inside], again[inside])
        assert not np.array_equal(image[inside], arrays(plain[0, index])[0][inside])


@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_an_image_is_composed_of_the_layers_that_its_sample_carries(tmp_path, jitter):
    plain = crops(tmp_path, disc(80, 80), augment={"flip": True, "jitter": jitter})
    behind = [background(tmp_path, "bg", picture(3, 90, 90))]
    carrying = CropSet(
        *(Store(tmp_path), plain._items, behind, plain._data, plain._options, 0), layers=True
    )
    for index in range(4):
        layers = carrying[0, index].sample
        fg, bg = (
            layer.permute(1, 2, 0).numpy() for layer in (layers.foreground, layers.background)
        )
        image, _, alpha = arrays(carrying[0, index])
        assert np.array_equal(image, compose(fg, alpha, bg))
        assert plain[0, index].sample.foreground is None
        assert plain[0, index].sample.alpha.equal(layers.alpha)


def test_a_foreground_smaller_than_the_crop_is_enlarged_with_one_warning(tmp_path, caplog):
    samples = crops(tmp_path, disc(20, 45), crop_scales=(1.0, 2.0))
    for index in range(6):
        image, trimap, alpha = arrays(samples[0, index])
        assert image.shape == (32, 32, 3) and trimap.shape == alpha.shape == (32, 32)
        assert np.all(trimap[soft(alpha)] == 128)
    (record,) = caplog.records
    assert record.message.startswith(f"{tmp_path / 'train/fg/one.png'}: 45 x 20 is smaller than a")


@pytest.mark.parametrize("augment", [{}, EVERYTHING], ids=["default", "everything"])
def test_a_matte_of_one_value_still_gives_samples(tmp_path, augment):
    for value, trimap in itertools.product((0, 255), KINDS):
        alpha = np.full((50, 60), value, np.uint8)
        _, found, truth = arrays(crops(tmp_path, alpha, trimap=trimap, augment=augment)[0, 0])
        assert found.shape == truth.shape == (32, 32)
        assert augment or (np.all(truth == value) and np.all(found == value))


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (30, 200), (150, 160)])
def test_backgrounds_of_any_size_fill_the_sample(tmp_path, size):
    flat = np.full((*size, 3), FLAT, np.uint8)
    samples = crops(tmp_path, np.zeros((72, 88), np.uint8), flat, crop=40)
    assert all(np.all(arrays(samples[0, index])[0] == FLAT) for index in range(4))


def test_a_larger_background_is_cut_from_anywhere_and_not_resized(tmp_path):
    large = picture(9, 120, 140)
    samples = crops(tmp_path, np.zeros((40, 40), np.uint8), large, crop=40)
    places = set()
    for index in range(8):
        match = cv2.matchTemplate(large, arrays(samples[0, index])[0], cv2.TM_SQDIFF)
        y, x = np.unravel_index(match.argmin(), match.shape)
        assert np.array_equal(large[y : y + 40, x : x + 40], arrays(samples[0, index])[0])
        places.add((y, x))
    assert len(places) > 4


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_a_background_is_shown_alike_whatever_its_format_and_the_cache(tmp_path, scale):
    y, x = np.mgrid[:400, :440] / 2
    ramps = np.dstack([y, x, (x + y) / 2]).astype(np.uint8)
    write_foreground(tmp_path, "one", np.zeros((300, 300), np.uint8), picture(0, 300, 300))
    seen = []
    for suffix in (".png", ".jpg"):
        path = tmp_path / "train" / "bg" / f"ramps{suffix}"
        write_image(path, ramps)
        for cache_mb in (0, 64):
            samples = crop_set(tmp_path, [path], crop_scales=(scale,), cache_mb=cache_mb)
            image = [samples[0, index].sample.image.numpy().astype(int) for index in range(4)]
            seen.append(np.stack(image))
    assert np.array_equal(seen[0], seen[1]) and np.array_equal(seen[2], seen[3])
    assert np.abs(seen[0] - seen[2]).max() <= 5
    slope = np.diff(seen[0][:, 1], axis=2).mean()
    assert slope == pytest.approx(scale / 2, rel=0.1)


def test_the_cache_keeps_what_was_used_last_within_its_limit():
    made = []
    cache = Cache(30)
    for key, size in (*((key, 10) for key in "abcadacd"), ("x", 31), ("c", 10), ("x", 31)):
        cache.get(key, lambda key=key, size=size: made.append(key) or np.zeros(size, np.uint8))
    assert (
        "".join(made) == "abcdxx"
    )  # b was used longest ago; x fits nowhere and pushes nothing out
