"""The commands that messages advise, as they have to be typed for this data set."""

import shlex
from pathlib import Path


def command(script: str, root: Path | str, *more: str) -> str:
    """`python SCRIPT --dataset NAME`, with `--data-root` where the data set is not in data/."""
    root = Path(root)
    place = [] if root.parent == Path("data") else ["--data-root", str(root.parent)]
    return shlex.join(["python", script, "--dataset", root.name, *place, *more])
