"""Score saved mattes, those of one method on one set; no network, and so no PyTorch."""

from collections.abc import Sequence
from pathlib import Path

from utils.score.pictures import Picture, sizes
from utils.score.scores import Scores
from utils.score.scoring import Options, score_saved
from utils.score.worst import write_worst


def run_saved(
    pictures: Sequence[Picture],
    label: str,
    out: Path | None = None,
    options: Options = Options(),  # noqa: B008  (it is frozen)
) -> Scores:
    """Score saved mattes.

    Writes out/LABEL.json, .csv, .md, LABEL_worst.png, and LABEL.rows.jsonl for `options.resume`,
    if `out` is given.

    Raises:
        InputError: a file cannot be used; sizes that differ are found before any work.
    """
    sizes(pictures)
    rows = score_saved(
        label, pictures, options, journal=out / f"{label}.rows.jsonl" if out else None
    )
    result = Scores(label, rows, {"float": True} if options.exact else {})
    if out:
        result.write(out)
        mattes = {picture.name: picture.matte for picture in pictures}
        write_worst(out / f"{label}_worst.png", result, pictures, mattes, options.worst)
    return result
