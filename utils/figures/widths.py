"""The figure of a pruning: channels kept of each group beside the full network, and its gates."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models.errors import InputError
from models.files import saving as files
from utils.figures.figure import load_font, save_figure

FULL, LEFT = (214, 214, 214), (60, 110, 170)
INK, GRID = (0, 0, 0), (235, 235, 235)
BAR, GAP, PLOT, MARGIN = 22, 8, 220, 70  # pixels
WIDE, STRIP, SPACE = 260, 160, 24
SIZE = 15


class Pruned(NamedTuple):
    """What a pruned.tar tells: widths by group, before and after, and how the gates moved."""

    label: str
    full: Mapping[str, int]
    plan: Mapping[str, int]
    gates: Sequence[Mapping]


def read_pruned(path: Path) -> Pruned:
    """The widths of a `pruned.tar`."""
    content = files.read(path) or {}
    ranked = content.get("scores")
    if not isinstance(ranked, dict) or ranked.keys() != content["plan"].keys():
        raise InputError(f"{path}: not a cut of train_prune.py; give its pruned.tar")
    full = {group: len(score) for group, score in ranked.items()}
    label = f"{path.parent.name}: {sum(content['plan'].values())} of {sum(full.values())} channels"
    return Pruned(label, full, content["plan"], content.get("gates", ()))


def write_widths(
    path: Path, pruned: Sequence[Pruned], inches: float = 6.9, font: Path | None = None
) -> None:
    """Write the figure, a panel for each cut, as PNG or PDF that prints `inches` wide."""
    letters = load_font(font, SIZE)
    panels = []
    for one in pruned:
        panels.append(_bars(one, letters))
        if one.gates:
            panels.append(_strips(one.gates, letters))
    whole = Image.new("RGB", (max(p.width for p in panels), sum(p.height for p in panels)), "white")
    top = 0
    for panel in panels:
        whole.paste(panel, (0, top))
        top += panel.height
    save_figure(path, whole, inches)


def _bars(one: Pruned, letters: ImageFont.FreeTypeFont) -> Image.Image:
    """A grey bar for the full width of each group, a blue one in it for what is left."""
    names = round(max(letters.getlength(group) for group in one.full)) + 10
    width = MARGIN + len(one.full) * (BAR + GAP) + GAP
    picture = Image.new("RGB", (width, 2 * SPACE + PLOT + names), "white")
    pen = ImageDraw.Draw(picture)
    floor, most = 2 * SPACE + PLOT, max(one.full.values())
    pen.text((MARGIN, SPACE), one.label, INK, letters, anchor="lm")
    for share in (0, 0.5, 1):
        y = floor - share * PLOT
        pen.line([(MARGIN, y), (width, y)], GRID)
        pen.text((MARGIN - 8, y), f"{share * most:g}", INK, letters, anchor="rm")
    for index, (group, full) in enumerate(one.full.items()):
        left = MARGIN + GAP + index * (BAR + GAP)
        for count, colour in ((full, FULL), (one.plan[group], LEFT)):
            top = floor - max(1, round(count / most * PLOT))
            pen.rectangle([(left, top), (left + BAR, floor)], colour)
        size = round(letters.getlength(group)) + 2, 2 * SIZE
        label = Image.new("RGB", size, "white")
        ImageDraw.Draw(label).text((size[0], SIZE), group, INK, letters, anchor="rm")
        picture.paste(label.rotate(90, expand=True), (left + BAR // 2 - SIZE, floor + 6))
    return picture


def _strips(rows: Sequence[Mapping], letters: ImageFont.FreeTypeFont) -> Image.Image:
    """For each part: time to the right, |gamma| upwards, the darker the more gates there."""
    parts = [part for part in rows[0] if part != "step"]
    across = MARGIN + WIDE + SPACE
    picture = Image.new("RGB", (len(parts) * across, STRIP + 4 * SPACE), "white")
    pen = ImageDraw.Draw(picture)
    for index, part in enumerate(parts):
        left = MARGIN + index * across
        counts = np.array([row[part]["counts"] for row in rows], np.float64).T[::-1]
        shade = np.log1p(counts) / np.log1p(counts.sum(0).max())
        colours = 255 - shade[..., None] * (255 - np.array(LEFT))
        strip = Image.fromarray(colours.round().astype(np.uint8))
        strip = strip.resize((WIDE, STRIP), Image.Resampling.NEAREST)
        picture.paste(strip, (left, SPACE))
        right, floor = left + strip.width, SPACE + STRIP
        pen.rectangle([(left - 1, SPACE - 1), (right, floor)], outline=FULL)
        for value, y in ((1, SPACE), (0, floor)):
            pen.text((left - 8, y), f"{value}", INK, letters, anchor="rm")
        zero, total = rows[-1][part]["zero"], int(counts[:, -1].sum())
        texts = f"{part} gates to step {rows[-1]['step']}", f"{zero} of {total} are zero"
        for line, text in enumerate(texts):
            pen.text((left, floor + SPACE * (line + 0.6)), text, INK, letters, anchor="lm")
    return picture
