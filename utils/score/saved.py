"""Score saved mattes, those of one method on one set; no network, and so no PyTorch."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from utils.disk.lock import alone
from utils.score.owned import origin, require_own
from utils.score.pictures import Picture, sizes
from utils.score.scores import FLOOR, Scores, full_label
from utils.score.scoring import Scoring, score_floor, score_saved
from utils.score.worst import write_worst


def run_saved(
    pictures: Sequence[Picture],
    label: str,
    out: Path | None = None,
    scoring: Scoring = Scoring(),  # noqa: B008  (it is frozen)
    key: str = "",
) -> Scores:
    """Score saved mattes; `key` is the name of their trimaps in a set of several kinds.

    Writes out/LABEL.json, .csv, .md, LABEL_worst.png, and LABEL.rows.jsonl for `scoring.resume`,
    if `out` is given.

    Raises:
        InputError: a file cannot be used, where sizes that differ are found before any work;
            results of another test are in `out`, or another process writes there.
    """
    sizes(pictures)
    journal, of = None, {}
    if out:
        journal, of = out / f"{label}.rows.jsonl", origin(out, pictures, pictures[0].matte.parent)
        require_own(out, label, None, of, pictures)
    with alone(out, "scoring") if out else nullcontext():
        rows = score_saved(label, pictures, scoring, journal, of)
        name = full_label(FLOOR, key)
        floor = Scores(name, score_floor(name, pictures, scoring))
        result = Scores(label, rows, scoring.described(pictures), floor)
        if out:
            result.write(out)
            mattes = {picture.name: picture.matte for picture in pictures}
            shown = scoring.worst, scoring.region
            write_worst(out / f"{label}_worst.png", result, pictures, mattes, *shown)
    return result
