"""The qualitative figure of a paper: a row a picture, a column a method, details enlarged."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models.errors import InputError
from models.files.atomic import atomic
from utils.cli.arguments import colour
from utils.data.compose.arithmetic import compose
from utils.figures.rows import COLOURS, Inset, Row
from utils.images.foreground import estimate_foreground, require_pymatting
from utils.metrics import sad

TEXT = 8  # printed points, as in a caption
GAP, LINE = 1 / 60, 1 / 130  # of a cell's width
OUTLINE = 160  # grey
SMALLEST = 64
WIDEST = 30_000  # pixels of a figure
CHECKER = "checker"
SQUARES, LIGHT, DARK = 24, 230, 160  # of the checker: across a picture, and their greys


class _Cell(NamedTuple):
    title: str
    picture: np.ndarray
    enlarge: int = cv2.INTER_CUBIC
    note: str = ""


def check_format(path: Path, inches: float) -> None:
    """Raise an `InputError` unless `path` ends as a figure does and `inches` can be printed."""
    if path.suffix.lower() not in (".png", ".pdf"):
        raise InputError(f"{path}: a figure is saved as .png or .pdf; choose one of these")
    if not 1 <= inches <= 100:
        raise InputError(f"--inches {inches}: choose more than 0, from 1 to 100")


def check_backdrop(over: str) -> None:
    """Raise an `InputError` unless `over` is a backdrop and foregrounds can be estimated."""
    require_pymatting("--over")
    if over != CHECKER:
        colour("--over", over)


def write_figure(
    path: Path,
    rows: Sequence[Row],
    insets: Sequence[Sequence[Inset]],
    width: int = 400,
    inches: float = 6.9,
    scores: bool = False,
    font: Path | None = None,
    over: str | None = None,
    beside: bool = False,
) -> None:
    """Write the rows under the titles of their columns, their insets beneath each picture.

    Args:
        path: a PNG, or a PDF with a JPEG of quality 95 in it; either says how wide it prints.
        rows: all with the same methods, and all or none with the truth.
        width: of a cell, in pixels.
        inches: the printed width; text is then of 8 points, or smaller where a column is narrow.
        scores: the SAD under each matte; the rows have the truth.
        font: TrueType or OpenType; None is Pillow's own, which has ASCII only.
        over: show mattes as `put_over` this backdrop.
        beside: show the mattes, too, each left of its foreground.
    """
    if width < SMALLEST:
        raise InputError(f"--width {width}: choose {SMALLEST} or more pixels for a cell")
    cells = [_cells(row, scores, over, beside) for row in rows]
    if width * len(cells[0]) > WIDEST:
        raise InputError(
            f"--width {width}: {len(cells[0])} cells are more than {WIDEST} pixels; choose less"
        )
    save_figure(path, _draw(cells, insets, width, inches, font), inches)


def save_figure(path: Path, figure: Image.Image, inches: float) -> None:
    """Write a picture as a PNG or PDF that prints `inches` wide."""
    dots = figure.width / inches
    data = io.BytesIO()  # not the file itself: Pillow does not say when the disk is full
    if path.suffix.lower() == ".pdf":
        figure.save(data, "PDF", resolution=dots, quality=95, subsampling=0)
    else:
        figure.save(data, "PNG", dpi=(dots, dots))
    with atomic(path) as temporary:
        temporary.write_bytes(data.getvalue())


def put_over(image: np.ndarray, alpha: np.ndarray, over: str) -> np.ndarray:
    """The foreground of a photograph over a backdrop, uint8 (H, W, 3).

    Args:
        image: uint8 (H, W, 3).
        alpha: uint8 (H, W).
        over: "checker", or a colour as CSS writes it: "green", "#00b140".
    """
    height, width = alpha.shape
    if over == CHECKER:
        side = max(1, round(width / SQUARES))
        y, x = np.ogrid[:height, :width]
        grey = np.where((y // side + x // side) % 2, DARK, LIGHT).astype(np.uint8)
        backdrop = np.repeat(grey[..., None], 3, axis=2)
    else:
        backdrop = np.full_like(image, colour("--over", over))
    return compose(estimate_foreground(image, alpha), alpha, backdrop)


def load_font(path: Path | None, size: float) -> ImageFont.FreeTypeFont:
    """A font, None for Pillow's own, of `size` pixels."""
    pixels = max(1, int(size))
    try:
        return ImageFont.truetype(path, pixels) if path else ImageFont.load_default(pixels)
    except OSError:
        raise InputError(f"{path}: no TrueType or OpenType font; check the name") from None


def _cells(row: Row, scores: bool, over: str | None, beside: bool) -> list[_Cell]:
    """What a row shows, from left to right."""
    truth = [] if row.alpha is None else [("Ground truth", row.alpha)]
    cells = [_Cell("Image", row.image), _Cell("Trimap", row.trimap, cv2.INTER_NEAREST)]
    for title, matte in [*truth, *row.methods.items()]:
        scored = scores and matte is not row.alpha
        note = f"SAD {sad(matte, row.alpha, row.trimap):.2f}" if scored else ""
        if not over or beside:
            cells.append(_Cell(title, matte, note=note))
        if over:
            foreground = put_over(row.image, matte, over)
            beneath = _Cell("Foreground", foreground)
            cells.append(beneath if beside else _Cell(title, foreground, note=note))
    return cells


def _draw(
    cells: list[list[_Cell]],
    insets: Sequence[Sequence[Inset]],
    width: int,
    inches: float,
    font: Path | None,
) -> Image.Image:
    gap = max(1, round(GAP * width))
    whole = len(cells[0]) * (width + gap) - gap
    across = max(map(len, insets))  # one enlargement in all rows
    texts = [text for row in cells for cell in row for text in (cell.title, cell.note)]
    size = TEXT * whole / (72 * inches)
    letters = load_font(font, size)
    widest, room = max(letters.getlength(text) for text in texts), (1 - GAP) * width
    if widest > room:
        letters = load_font(font, size * room / widest)
    line = round(1.5 * letters.size)

    bands, written = [_white(line, whole)], [(0, [cell.title for cell in cells[0]])]
    for placed, columns in zip(insets, cells, strict=True):
        panels = [_panel(cell, placed, across, width, gap) for cell in columns]
        between = _white(len(panels[0]), gap)
        bands.append(np.hstack([part for panel in panels for part in (between, panel)][1:]))
        notes = [cell.note for cell in columns]
        if any(notes):
            written.append((sum(map(len, bands)), notes))
            bands.append(_white(line, whole))
        bands.append(_white(2 * gap, whole))
    figure = Image.fromarray(np.vstack(bands[:-1]))
    pen = ImageDraw.Draw(figure)
    for top, words in written:
        for column, word in enumerate(words):
            middle = column * (width + gap) + width / 2, top + line / 2
            pen.text(middle, word, (0, 0, 0), letters, anchor="mm")
    return figure


def _panel(cell: _Cell, insets: Sequence[Inset], across: int, width: int, gap: int) -> np.ndarray:
    """A whole picture with its insets marked, and these enlarged beneath it."""
    line = max(1, round(LINE * width))
    scale = width / cell.picture.shape[1]
    whole = _resized(cell.picture, width, max(1, round(scale * len(cell.picture))), cell.enlarge)
    for edge in (whole[0], whole[-1], whole[:, 0], whole[:, -1]):
        edge[:] = OUTLINE  # for a white matte would run out into the page
    if not across:
        return whole
    side = (width - (across - 1) * gap) // across
    beneath = _white(side, width)
    for index, ((x, y, size), ink) in enumerate(zip(insets, COLOURS, strict=False)):
        left = round(index * (width + gap) / across)
        inner = slice(line, side - line), slice(left + line, left + side - line)
        part = cell.picture[y : y + size, x : x + size]
        beneath[inner] = _resized(part, side - 2 * line, side - 2 * line, cell.enlarge)
        _frame(beneath, inner, line, ink)
        ends = [round(scale * place) for place in (y, y + size, x, x + size)]
        _frame(whole, (slice(*ends[:2]), slice(*ends[2:])), line, ink)
    return np.vstack([whole, _white(gap, width), beneath])


def _frame(
    picture: np.ndarray, inner: tuple[slice, slice], line: int, ink: tuple[int, int, int]
) -> None:
    """Draw a frame around `inner`, hiding nothing of it."""
    kept = picture[inner].copy()
    rows, columns = (slice(max(0, span.start - line), span.stop + line) for span in inner)
    picture[rows, columns] = ink
    picture[inner] = kept


def _resized(picture: np.ndarray, width: int, height: int, enlarge: int) -> np.ndarray:
    interpolation = cv2.INTER_AREA if width < picture.shape[1] else enlarge
    resized = cv2.resize(picture, (width, height), interpolation=interpolation)
    return resized if resized.ndim == 3 else cv2.cvtColor(resized, cv2.COLOR_GRAY2RGB)


def _white(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 255, np.uint8)
