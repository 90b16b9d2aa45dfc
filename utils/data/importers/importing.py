"""Import pictures of a folder or an archive into a data set, whatever kind of set they are."""

from pathlib import Path
from typing import get_args

from models.errors import InputError
from utils.data.folders import Part
from utils.data.importers.archives import opened
from utils.data.importers.finding import is_of_pairs, is_visible_picture
from utils.data.importers.own import PAIRS, import_cutouts, import_pairs, import_photographs
from utils.data.importers.placing import How
from utils.data.importers.published import PARTS, PUBLISHED, import_published
from utils.data.importers.request import Request, Summary
from utils.data.importers.unfinished import end, undo
from utils.disk.lock import folder_lock

# Of each kind of source: what imports it, which files of an archive it takes, what these are.
SOURCE_KINDS = {
    **dict.fromkeys(PUBLISHED, (import_published, is_of_pairs, PARTS)),
    "pairs": (import_pairs, is_of_pairs, PAIRS),
    "cutouts": (import_cutouts, is_visible_picture, "pictures"),
    "photographs": (import_photographs, is_visible_picture, "pictures"),
}


def import_set(
    kind: str,
    source: Path | str,
    root: Path | str,
    *,
    part: Part | None = None,
    workers: int = 0,
    link: bool = False,
) -> Summary:
    """Import pictures of a folder or of a zip or tar archive into the data set `root`.

    - "composition-1k", "distinctions-646": both parts of these sets, found by the names of their
      folders. Lists of names come along, since their order decides the published test set.
    - "pairs": one folder `fg` with `alpha` (and, for test, `trimap`) beside it, into one part.
    - "cutouts": pictures whose alpha channel is the matte; the colours it hides are estimated.
    - "photographs": pictures into `part/bg`; of VOC only its `JPEGImages`.

    A matte takes the name of its foreground. Nothing is written before everything is checked, all
    that does not fit is listed, and a file that is there already is never replaced by another. Can
    be run again, after an interruption too, and with further sources.

    Args:
        source: the folder or the archive.
        root: the folder of the data set; made if it is missing.
        part: "train" or "test"; None imports both parts of a set that comes whole.
        workers: processes that read cut-outs; 0 works in this one.
        link: make symbolic links to the files of a folder instead of copies: no disk space, but
            the folder must stay where it is. Files of an archive are always the data set's own.

    Raises:
        InputError: the source cannot be used as this kind, or another process writes into the data
            set; nothing was imported then.
    """
    source, root = Path(source).expanduser(), Path(root)
    if kind not in SOURCE_KINDS:
        raise InputError(f"--kind {kind}: choose one of {', '.join(SOURCE_KINDS)}")
    if part not in (None, *get_args(Part)):
        raise InputError(f"--part {part}: choose train or test")
    if part is None and kind not in PUBLISHED:
        raise InputError(f"{source}: of {kind}, say whether they are --part train or --part test")
    if link and (kind == "cutouts" or not source.is_dir()):
        raise InputError(
            f"{source}: only pictures of a folder that are used as they are can be linked; "
            "leave out --link"
        )
    import_kind, wanted, sought = SOURCE_KINDS[kind]
    with (
        folder_lock(root, f"importing {kind}"),
        opened(source, root.resolve(), wanted, sought) as folder,
    ):
        undo(root, source)
        how: How = "link" if link else "copy" if folder == source else "move"
        summary = import_kind(Request(kind, source, folder, root, part, how, workers))
        end(root)
        return summary
