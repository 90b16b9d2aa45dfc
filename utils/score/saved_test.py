"""Score saved mattes, those of one method on one set; no network, and so no PyTorch."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from utils.disk.lock import folder_lock
from utils.score.output_folder import add_to_record, require_output
from utils.score.pictures import Picture, sizes
from utils.score.scores import FLOOR, Scores, full_label
from utils.score.scoring import Scoring, score_floor, score_saved
from utils.score.sheets import write_worst


def run_saved(
    pictures: Sequence[Picture],
    label: str,
    out: Path | None = None,
    scoring: Scoring = Scoring(),  # noqa: B008  (it is frozen)
    key: str = "",
) -> Scores:
    """Score saved mattes; `key` is the name of their trimaps in a set of several kinds.

    Writes out/LABEL.json, .csv, .md and LABEL_worst.png, if `out` is given.

    Raises:
        InputError: a file cannot be used, where sizes that differ are found before any work;
            `out` holds what is read or files of others, or another process writes there.
    """
    sizes(pictures)
    if out:
        require_output(out, [label], [file for one in pictures for file in one.files])
    with folder_lock(out, "scoring") if out else nullcontext():
        rows = score_saved(label, pictures, scoring)
        name = full_label(FLOOR, key)
        floor = Scores(name, score_floor(name, pictures, scoring))
        result = Scores(label, rows, scoring.described(pictures), floor)
        if out:
            add_to_record(out, label, {"mattes": str(pictures[0].matte.parent)})
            result.write(out)
            mattes = {picture.name: picture.matte for picture in pictures}
            worst = out / f"{label}_worst.png"
            write_worst(worst, result, pictures, mattes, scoring.worst, scoring.region)
    return result
