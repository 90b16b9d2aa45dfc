"""Training samples: drawn from seed, epoch and index alone, centred, aligned, at any size."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import InputError
from tests.sets import disc, picture
from utils.data.cache import Cache
from utils.data.compose import compose
from utils.data.crops import CropSet, Sample
from utils.data.images import write_image
from utils.data.pairs import Foreground
from utils.data.trimap import make_trimap, narrow_trimap
from utils.options import DataConfig

PLAIN = {"crop_scales": (1.0,), "flip": False, "jitter": 0.0}
FLAT = (30, 160, 220)


def foreground(folder: Path, alpha: np.ndarray, name: str = "one", seed: int = 0) -> Foreground:
    fg, matte = folder / "fg" / f"{name}.png", folder / "alpha" / f"{name}.png"
    write_image(fg, picture(seed, *alpha.shape))
    write_image(matte, alpha)
    return Foreground(name, fg, matte)


def background(folder: Path, name: str = "flat", colours: np.ndarray | None = None) -> Path:
    path = folder / "bg" / f"{name}.png"
    write_image(path, np.full((50, 60, 3), FLAT, np.uint8) if colours is None else colours)
    return path


def crops(
    folder: Path,
    alpha: np.ndarray,
    colours: np.ndarray | None = None,
    seed: int = 0,
    augment: bool = True,
    **options,
) -> CropSet:
    """Crops of one foreground over one background, by default a flat one."""
    options = DataConfig(**{"crop": 32, **PLAIN, **options})
    sources = [foreground(folder, alpha)]
    return CropSet(sources, [background(folder, "bg", colours)], options, 10, seed, augment)


def arrays(sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(image (H,W,3), trimap (H,W), alpha (H,W))."""
    image, trimap, alpha = sample
    return image.permute(1, 2, 0).numpy(), trimap[0].numpy(), alpha[0].numpy()


def same(a: Sample, b: Sample) -> bool:
    return all(one.equal(other) for one, other in zip(a, b, strict=True))


def soft(alpha: np.ndarray) -> np.ndarray:
    return (alpha > 0) & (alpha < 255)


def speckled(height: int, width: int) -> np.ndarray:
    """A matte with hard and soft edges everywhere, for alignment."""
    coarse = np.random.default_rng(3).integers(0, 256, (height // 8, width // 8), np.uint8)
    large = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return ((large - 128) * 4 + 128).clip(0, 255).astype(np.uint8)


def test_a_sample_depends_on_seed_epoch_and_index_alone(tmp_path):
    sources = [foreground(tmp_path, disc(80, 90 + 9 * i), f"f{i}", i) for i in range(3)]
    behind = [background(tmp_path, f"b{i}", picture(50 + i, 60, 70)) for i in range(3)]

    def make(seed: int = 0, cache_mb: int = 64) -> CropSet:
        options = DataConfig(crop=32, crop_scales=(1.0, 1.5, 2.0), cache_mb=cache_mb)
        return CropSet(sources, behind, options, 4, seed)

    keys = [(epoch, index) for epoch in (0, 1, 5) for index in range(12)]
    first, again, uncached = make(), make(), make(cache_mb=0)
    wanted = {key: first[key] for key in keys}
    assert all(same(again[key], wanted[key]) for key in reversed(keys))
    assert all(same(uncached[key], wanted[key]) for key in keys[::5])
    assert all(same(first[key], wanted[key]) for key in keys[::5])
    images = {sample.image.numpy().tobytes() for sample in wanted.values()}
    assert len(images) == len(keys), "every epoch and index sees something else"
    assert not any(same(make(seed=1)[key], wanted[key]) for key in keys[::5])


def test_an_epoch_has_so_many_samples_of_each_foreground_in_order(tmp_path):
    sources = [foreground(tmp_path, np.full((40, 40), i, np.uint8), f"f{i}") for i in range(3)]
    options = DataConfig(crop=32, **PLAIN)
    samples = CropSet(sources, [background(tmp_path)], options, 2, 0)
    assert len(samples) == 6
    assert [int(samples[0, i].alpha[0, 0, 0]) for i in range(6)] == [0, 0, 1, 1, 2, 2]


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


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("trimap", ["varied", "narrow"])
def test_the_centre_is_unknown_where_the_picture_is_larger_than_the_crop(tmp_path, scale, trimap):
    samples = crops(
        tmp_path, disc(200, 220), crop_scales=(scale,), trimap=trimap, trimap_radius=(3, 20)
    )
    for index in range(10):
        unknown = arrays(samples[0, index])[1] == 128
        assert unknown[15:18, 15:18].any()  # after resizing, it lies between pixels
        assert unknown[16, 16] or scale != 1


def test_the_centre_is_drawn_evenly_over_unknown_pixels(tmp_path):
    alpha = np.zeros((40, 48), np.uint8)
    alpha[15:18, 20:24] = 255
    alpha[30, 30] = 90
    expected = make_trimap(alpha, 1) == 128
    samples = crops(tmp_path, alpha, crop=9, trimap_radius=(1, 1))
    # Where the centre fell is read from a background, foreground and matte that tell every place.
    y, x = np.mgrid[:40, :48].astype(np.uint8)
    write_image(tmp_path / "fg" / "one.png", np.dstack([y, x, y * 0]))
    write_image(tmp_path / "bg" / "bg.png", np.dstack([y, x, y * 0]))
    counts = np.zeros(alpha.shape)
    draws = 25 * int(expected.sum())
    for epoch in range(draws):
        image = samples[epoch, 0].image
        row, column, _ = image[:, 0, 0].tolist()  # no soft pixel is a corner, so it is exact
        counts[row + 4, column + 4] += 1
    assert np.array_equal(counts > 0, expected)
    statistic = ((counts[expected] - 25) ** 2 / 25).sum()
    freedom = expected.sum() - 1
    assert abs(statistic - freedom) < 4 * (2 * freedom) ** 0.5


def test_every_soft_pixel_is_unknown_and_known_pixels_have_their_alpha(tmp_path):
    for trimap in ("varied", "narrow"):
        for scale in (1.0, 1.3, 1.5, 2.0, 0.4):
            samples = crops(
                tmp_path, speckled(96, 112), crop_scales=(scale,), trimap=trimap, flip=True
            )
            for index in range(4):
                image, found, alpha = arrays(samples[0, index])
                assert image.shape == (32, 32, 3) and found.shape == alpha.shape == (32, 32)
                assert image.dtype == found.dtype == alpha.dtype == np.uint8
                assert set(np.unique(found)) <= {0, 128, 255}
                assert np.all(found[soft(alpha)] == 128)
                assert np.array_equal(found[found != 128], alpha[found != 128])


def test_more_is_unknown_at_a_larger_radius(tmp_path):
    shares = []
    for radius in (1, 4, 9, 14):
        samples = crops(tmp_path, disc(100, 100), crop=90, trimap_radius=(radius, radius))
        shares.append(np.mean([np.mean(arrays(samples[0, i])[1] == 128) for i in range(3)]))
    assert np.all(np.diff(shares) > 0.05)


def test_a_radius_is_the_radius_of_the_trimap(tmp_path):
    alpha = disc(40, 40)
    trimap = arrays(crops(tmp_path, alpha, crop=40, trimap_radius=(5, 5))[0, 0])[1]
    assert np.array_equal(trimap, make_trimap(alpha, 5))


def test_narrow_trimaps_are_the_released_ones(tmp_path):
    alpha = disc(40, 40)
    samples = crops(tmp_path, alpha, crop=40, trimap="narrow")
    found = {arrays(samples[0, i])[1].tobytes() for i in range(10)}
    assert found <= {narrow_trimap(alpha, size).tobytes() for size in (1, 2, 3, 4)}
    assert len(found) > 1


def test_flipping_keeps_image_trimap_and_alpha_aligned(tmp_path):
    alpha = speckled(32, 32)
    alpha[:, :16] //= 2
    colour = np.repeat(alpha[..., None], 3, axis=2)
    samples = crops(tmp_path, alpha, np.zeros((32, 32, 3), np.uint8), flip=True)
    # The foreground's colour is its matte, so the composition is the matte squared.
    write_image(tmp_path / "fg" / "one.png", colour)
    squared = compose(colour, alpha, np.zeros_like(colour))[..., 0]
    turned = 0
    for index in range(10):
        image, trimap, matte = arrays(samples[0, index])
        flipped = not np.array_equal(matte, alpha)
        expected = squared[:, ::-1] if flipped else squared
        assert np.array_equal(matte, alpha[:, ::-1] if flipped else alpha)
        assert np.array_equal(image[..., 0], expected)
        assert np.all(trimap[soft(matte)] == 128)
        assert np.array_equal(trimap[trimap != 128], matte[trimap != 128])
        turned += flipped
    assert 0 < turned < 10


def test_without_augmentation_nothing_is_flipped_or_recoloured(tmp_path):
    alpha = speckled(32, 32)
    samples = crops(tmp_path, alpha, augment=False, flip=True, jitter=0.5)
    expected = compose(picture(0, 32, 32), alpha, np.full((32, 32, 3), FLAT, np.uint8))
    for index in range(4):
        image, _, matte = arrays(samples[0, index])
        assert np.array_equal(image, expected) and np.array_equal(matte, alpha)


def test_jitter_recolours_the_image_alone(tmp_path):
    alpha = disc(80, 80)
    one, other = (crops(tmp_path, alpha, jitter=amount) for amount in (0.0, 0.3))
    for index in range(3):
        plain, coloured = one[0, index], other[0, index]
        assert not plain.image.equal(coloured.image)
        assert plain.trimap.equal(coloured.trimap) and plain.alpha.equal(coloured.alpha)


def test_a_foreground_smaller_than_the_crop_is_enlarged_with_one_warning(tmp_path, caplog):
    samples = crops(tmp_path, disc(20, 45), crop_scales=(1.0, 2.0))
    for index in range(6):
        image, trimap, alpha = arrays(samples[0, index])
        assert image.shape == (32, 32, 3) and trimap.shape == alpha.shape == (32, 32)
        assert np.all(trimap[soft(alpha)] == 128)
    (record,) = caplog.records
    assert f"{tmp_path / 'fg' / 'one.png'}: 45 x 20 is smaller than a crop" in record.message


def test_a_foreground_smaller_than_the_largest_scale_only_is_nothing_to_warn_of(tmp_path, caplog):
    samples = crops(tmp_path, disc(40, 45), crop_scales=(2.0,))
    assert all(samples[0, index].image.shape == (3, 32, 32) for index in range(3))
    assert not caplog.records


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("trimap", ["varied", "narrow"])
def test_a_matte_of_one_value_still_gives_samples(tmp_path, value, trimap):
    samples = crops(tmp_path, np.full((50, 60), value, np.uint8), trimap=trimap)
    _, found, alpha = arrays(samples[0, 0])
    assert np.all(alpha == value) and np.all(found == value)


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (30, 200), (200, 30), (72, 88), (150, 160)])
def test_backgrounds_of_any_size_fill_the_sample(tmp_path, size):
    samples = crops(
        tmp_path, np.zeros((72, 88), np.uint8), np.full((*size, 3), FLAT, np.uint8), crop=40
    )
    for index in range(4):
        assert np.all(arrays(samples[0, index])[0] == FLAT)


def test_a_smaller_background_is_enlarged_as_a_whole(tmp_path):
    ramp = np.repeat(np.linspace(0, 250, 20).astype(np.uint8)[None, :, None], 16, 0).repeat(3, 2)
    image = arrays(crops(tmp_path, np.zeros((64, 80), np.uint8), ramp, crop=64)[0, 0])[0]
    slope = np.diff(image[..., 0].astype(int), axis=1).mean()
    assert slope == pytest.approx(250 / 80, rel=0.1)


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


def test_image_and_alpha_of_different_size_are_named(tmp_path):
    samples = crops(tmp_path, disc(50, 60))
    write_image(tmp_path / "alpha" / "one.png", disc(50, 61))
    with pytest.raises(InputError) as error:
        samples[0, 0]
    for folder in ("fg", "alpha"):
        assert str(tmp_path / folder / "one.png") in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_changing_a_sample_does_not_change_the_next_one(tmp_path):
    samples = crops(tmp_path, disc(32, 32))
    wanted = [part.clone() for part in samples[0, 0]]
    for part in samples[0, 0]:
        part.zero_()
    assert same(samples[0, 0], wanted)


def test_the_cache_keeps_what_was_used_last_within_its_limit():
    made = []

    def get(cache: Cache, key: str, size: int = 10) -> None:
        cache.get(key, lambda: made.append(key) or (np.zeros(size, np.uint8),))

    cache = Cache(30)
    for key in "abc":
        get(cache, key)
    get(cache, "a")
    get(cache, "d")  # b was used longest ago
    for key in "acd":
        get(cache, key)
    assert "".join(made) == "abcd"
    get(cache, "huge", 31)  # fits nowhere and pushes nothing out
    for key in "acd":
        get(cache, key)
    get(cache, "huge", 31)
    assert made == ["a", "b", "c", "d", "huge", "huge"]
