"""The qualitative figure: what it shows, what it enlarges, what it refuses."""

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from models.errors import InputError
from tests.scripts import main
from tests.sets import disc, picture
from utils.figures.figure import put_over, write_figure
from utils.figures.rows import COLOURS, Inset, Row, choose_insets
from utils.images.reading import read_image
from utils.images.trimap import make_trimap
from utils.images.writing import write_image
from utils.metrics import sad

BASE = "--image image --trimap trimap --out figure.png --width 64"
BOTH = "--alpha alpha --pred good --pred bad"
SIZE = (60, 80)
NAMES = ("a", "b", "c")
OFF = {"a": 20, "b": 200, "c": 60}  # levels by which the second method is wrong in a square


def wrong(alpha: np.ndarray, levels: int, y: int = 10, x: int = 35, side: int = 8) -> np.ndarray:
    """A matte that is `levels` off in a square."""
    matte = alpha.astype(np.int16)
    part = matte[y : y + side, x : x + side]
    part += np.where(part < 128, levels, -levels).astype(np.int16)
    return matte.clip(0, 255).astype(np.uint8)


@pytest.fixture
def folders(tmp_path) -> Path:
    """image, trimap, alpha, and the mattes of two methods: good and bad."""
    for index, name in enumerate(NAMES):
        alpha = disc(*SIZE, softness=4 + index)
        write_image(tmp_path / "image" / f"{name}.jpg", picture(index, *SIZE))
        write_image(tmp_path / "alpha" / f"{name}.png", alpha)
        write_image(tmp_path / "trimap" / f"{name}.png", make_trimap(alpha, 6))
        write_image(tmp_path / "good" / f"{name}.png", alpha)
        write_image(tmp_path / "bad" / f"{name}.png", wrong(alpha, OFF[name]))
    return tmp_path


@pytest.fixture
def command(folders, monkeypatch, capsys):
    """Run figure.py in the folder; what it prints, line by line."""
    monkeypatch.chdir(folders)

    def run(arguments: str) -> list[str]:
        main("figure.py", *f"{BASE} {arguments}".split())
        return capsys.readouterr().out.splitlines()

    return run


@pytest.fixture
def words(monkeypatch) -> list[str]:
    """What is written into figures from now on."""
    seen = []
    write = ImageDraw.ImageDraw.text

    def text(pen, place, word, *options, **more):
        seen.append(word)
        write(pen, place, word, *options, **more)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return seen


def row(trimap: np.ndarray | None = None, alpha: np.ndarray | None = None, **methods) -> Row:
    """A grey picture, unknown everywhere if nothing else is said."""
    trimap = np.full_like(next(iter(methods.values())), 128) if trimap is None else trimap
    return Row("a", np.stack(3 * [trimap], 2), trimap, alpha, methods)


def flat(height: int, width: int, *squares: tuple[int, int, int, int]) -> np.ndarray:
    """Grey with brighter squares: (x, y, side, levels)."""
    matte = np.full((height, width), 100, np.uint8)
    for x, y, side, levels in squares:
        matte[y : y + side, x : x + side] += np.uint8(levels)
    return matte


# --- what it shows ------------------------------------------------------------------------------


def test_one_command_writes_a_figure_and_prints_what_it_chose(command, folders):
    lines = command(BOTH + " --rows 2")
    assert lines[-1] == "figure.png"
    assert [line.split()[1] for line in lines[:-1]] == ["b", "c"]  # the most different first
    given_again = command(BOTH + " " + " ".join(lines[:-1]))
    assert given_again == lines


def test_a_column_for_each_thing_and_a_row_for_each_picture(command, folders):
    command(BOTH + " --picture a --picture b --insets 0 --width 80")
    whole = read_image(folders / "figure.png")
    gap, height, columns = 1, 60, 5
    assert whole.shape[1] == columns * 80 + (columns - 1) * gap
    band = whole.shape[0] - 2 * height - 2 * gap
    assert 0 < band < height
    for row, name in enumerate(("a", "b")):
        top = band + row * (height + 2 * gap)
        files = [f"image/{name}.jpg", f"trimap/{name}.png", f"alpha/{name}.png"]
        for column, file in enumerate([*files, f"good/{name}.png", f"bad/{name}.png"]):
            cell = whole[top : top + height, column * 81 : column * 81 + 80]
            # At its own size a picture is unchanged inside its hairline.
            assert (cell == read_image(folders / file))[1:-1, 1:-1].all()


def test_one_method_without_truth_is_shown_where_nothing_is_enlarged(command, folders):
    lines = command("--pred good --insets 0 --rows 2")
    assert lines[-1] == "figure.png" and [line.split()[1] for line in lines[:-1]] == ["a", "b"]
    with pytest.raises(InputError, match=r"one method and no truth: .* or give --insets 0"):
        command("--pred good --insets 1")
    with pytest.raises(InputError, match="--rows 0: choose 1 or more"):
        command("--pred good --insets 0 --rows 0")


def test_titles_stand_over_columns_and_scores_under_mattes(command, folders, words):
    command(BOTH + " --picture b --scores")
    matte, alpha, trimap = (
        cv2.imread(str(folders / name / "b.png"), cv2.IMREAD_GRAYSCALE)
        for name in ("bad", "alpha", "trimap")
    )
    scores = ["SAD 0.00", f"SAD {sad(matte, alpha, trimap):.2f}"]
    assert scores[1] != scores[0]
    titles = ["Image", "Trimap", "Ground truth", "good", "bad"]
    assert words == [*titles, "", "", "", *scores]
    whole = read_image(folders / "figure.png")
    for column, (over, under) in enumerate(zip(words[:5], words[5:], strict=True)):
        cell = whole[:, column * 65 : column * 65 + 64]
        assert bool(over) == (cell[:4].min() < 128)
        assert bool(under) == (cell[-4:].min() < 128)


def test_a_figure_is_as_wide_as_it_is_printed(tmp_path):
    alpha = disc(*SIZE)
    shown = Row("a", picture(0, *SIZE), make_trimap(alpha, 6), alpha, {"DIM": alpha})
    for path in (tmp_path / "f.png", tmp_path / "f.pdf"):
        write_figure(path, [shown], [[]], width=300, inches=5)
    across = 4 * 300 + 3 * 5
    dpi = Image.open(tmp_path / "f.png").info["dpi"]
    assert dpi == pytest.approx((across / 5,) * 2, rel=1e-3)
    box = re.search(rb"/MediaBox \[ ([\d. ]+)", (tmp_path / "f.pdf").read_bytes())[1].split()
    assert float(box[2]) == pytest.approx(5 * 72)


def test_a_pdf_shows_what_the_png_shows(command, folders):
    command(BOTH)
    command(BOTH + " --out figure.pdf")
    data = (folders / "figure.pdf").read_bytes()
    jpeg = data[data.index(b"\xff\xd8") : data.rindex(b"\xff\xd9") + 2]
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    exact = read_image(folders / "figure.png")
    assert data.startswith(b"%PDF") and shown.shape == exact.shape
    assert np.abs(shown.astype(int) - exact).mean() < 3


# --- which pictures -----------------------------------------------------------------------------


# --- what is enlarged ---------------------------------------------------------------------------


def test_insets_lie_where_the_methods_differ_most_of_what_is_unknown_from_left_to_right():
    one, trimap = flat(80, 160), np.full((80, 160), 128, np.uint8)
    trimap[:, :20] = 255
    squares = (100, 10, 20, 60), (30, 50, 20, 50), (120, 60, 20, 10), (0, 0, 20, 99)
    methods = {"one": one, "other": flat(80, 160, *squares)}
    found = choose_insets(row(trimap, **methods), 2)
    assert found == [Inset(30, 50, 20), Inset(100, 10, 20)]


def test_a_place_where_both_methods_are_alike_and_wrong_is_not_chosen():
    alpha = flat(80, 160)
    alike = {"one": flat(80, 160, (20, 20, 20, 99)), "other": flat(80, 160, (20, 20, 20, 99))}
    alike["other"][40:60, 100:120] += 5
    assert choose_insets(row(None, alpha, **alike), 1) == [Inset(100, 40, 20)]
    assert choose_insets(row(None, alpha, one=alike["one"]), 1) == [Inset(20, 20, 20)]


@settings(max_examples=40)
@given(
    height=st.integers(50, 70),
    width=st.integers(50, 70),
    count=st.integers(0, len(COLOURS)),
    seed=st.integers(0, 99),
)
def test_insets_are_inside_the_picture_and_apart(height, width, count, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (2, height, width), np.uint8)
    insets = choose_insets(row(one=noise[0], other=noise[1]), count)
    assert len(insets) == count
    for index, (x, y, size) in enumerate(insets):
        assert 0 <= x <= width - size and 0 <= y <= height - size
        for other in insets[:index]:
            assert max(abs(x - other.x), abs(y - other.y)) >= size + size // 2


def test_an_inset_is_framed_and_marked_in_its_colour_and_shows_its_square(tmp_path):
    image = np.full((50, 100, 3), 128, np.uint8)
    image[10:20, 60:70] = (9, 99, 199)
    trimap, matte = np.full((50, 100), 128, np.uint8), np.zeros((50, 100), np.uint8)
    insets = [Inset(10, 30, 10), Inset(60, 10, 10)]
    write_figure(tmp_path / "f.png", [Row("a", image, trimap, None, {"DIM": matte})], [insets], 200)
    whole = read_image(tmp_path / "f.png")
    line, gap, side = 2, 3, 98
    panel = whole[-(100 + gap + side) :, :200]
    # The mark is around the square of the picture, which is shown twice as large.
    for (x, y, size), colour in zip(insets, COLOURS, strict=False):
        marked = (panel[:100] == colour).all(axis=2)
        outer = np.zeros_like(marked)
        outer[2 * y - line : 2 * (y + size) + line, 2 * x - line : 2 * (x + size) + line] = True
        outer[2 * y : 2 * (y + size), 2 * x : 2 * (x + size)] = False
        assert (marked == outer).all()
    second = panel[100 + gap :, 200 - side :]
    assert (second[line:-line, line:-line] == (9, 99, 199)).all()
    for edge in (second[:line], second[-line:], second[:, :line], second[:, -line:]):
        assert (edge == COLOURS[1]).all()


# --- over a backdrop ----------------------------------------------------------------------------


def test_a_composite_has_the_colours_of_the_foreground_without_its_old_background():
    pytest.importorskip("pymatting")
    alpha = disc(*SIZE, softness=12)
    weight = alpha[..., None] / 255
    image = np.rint(weight * (200, 40, 40) + (1 - weight) * (20, 30, 220)).astype(np.uint8)
    shown = put_over(image, alpha, "#00ff00").astype(int)
    right = weight * (200, 40, 40) + (1 - weight) * (0, 255, 0)
    naive = weight * image + (1 - weight) * (0, 255, 0)
    assert np.abs(shown - right).max() < 12 < np.abs(naive - right).max()
    assert (shown[alpha == 0] == (0, 255, 0)).all()


def test_beside_their_foregrounds_mattes_keep_their_columns(command, folders):
    pytest.importorskip("pymatting")
    command(BOTH + " --picture b --insets 0 --over red --beside")
    whole = read_image(folders / "figure.png")
    reds = [(whole[-40, column * 65 + 3] == (255, 0, 0)).all() for column in range(8)]
    assert reds == [False, False, False, True, False, True, False, True]


# --- what it refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--alpha alpha --pred good --pred good", r"--pred good: there is a good already; give"),
        ("--pred nowhere", r"^nowhere: no such folder"),
        (BOTH + " --picture a --picture z", r"^image: no picture z; --picture takes"),
        (BOTH + " --inset z:1,2,3", r"--inset z:1,2,3: the figure shows b, c, a; add --picture z"),
        (BOTH + " --inset 70,0,11", r"--inset 70,0,11: not inside b, which is 80 x 60; choose"),
        (BOTH + 6 * " --inset 1,2,3", r"--inset: 6 for b; choose at most 5"),
        (BOTH + " --width 8192", r"--width 8192: 5 cells are more than 30000 pixels"),
        (BOTH + " --out figure.jpg", r"figure\.jpg: a figure is saved as \.png or \.pdf"),
        ("--pred good --pred bad --scores", r"--scores: .* give --alpha"),
        ("--pred bad", r"one method and no truth: nothing tells where to look; give --alpha or"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(command, folders, arguments, message):
    with pytest.raises(InputError, match=message) as refused:
        command(arguments)
    assert "\n" not in str(refused.value)
    assert not list(folders.glob("figure.*"))


@pytest.mark.parametrize("folder", ["trimap", "alpha", "good"])
def test_a_file_without_a_partner_is_named_unless_its_picture_is_not_asked_for(
    command, folders, folder
):
    one = folders / folder / "c.png"
    more = Path(shutil.copy(one, one.with_name("d.png")))
    with pytest.raises(InputError, match=f"^{folder}/d.png: no file of the same name in image;"):
        command(BOTH)
    assert len(command(BOTH + " --picture a")) == 2
    more.unlink()
    one.unlink()
    with pytest.raises(InputError, match=f"^image/c.jpg: no file of the same name in {folder};"):
        command(BOTH)
    assert len(command(BOTH + " --picture a")) == 2


@pytest.mark.parametrize("folder", ["image", "bad"])
def test_another_size_names_both_files(command, folders, folder):
    for file in (folders / folder).glob("b.*"):
        file.unlink()
    write_image(folders / folder / "b.png", np.zeros((60, 81), np.uint8))
    with pytest.raises(InputError, match=rf"{folder}/b\.png is 81 x 60, but trimap/b\.png is 80 x"):
        command(BOTH)
