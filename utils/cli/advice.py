"""The commands that messages advise, as they have to be typed for this data set or config."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from utils.config.options import Config


def dataset_command(script: str, root: Path | str, *more: str) -> str:
    """`python SCRIPT --dataset NAME`, with `--data-root` where the data set is not in data/."""
    root = Path(root)
    place = [] if root.parent == Path("data") else ["--data-root", str(root.parent)]
    return _line(script, "--dataset", root.name, *place, *more)


def config_command(script: str, config: "Config", *more: str) -> str:
    """`python SCRIPT --config FILE`, with the overrides that were given."""
    return _line(script, *config.words, *more)


def _line(script: str, *words: str) -> str:
    beside = Path(sys.argv[0]).parent / script  # who runs it from elsewhere names its folder
    return shlex.join(["python", str(beside) if beside.is_file() else script, *words])
