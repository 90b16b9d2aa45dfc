"""The small oracles are what the full reference values give."""

import json

import cv2
import numpy as np

from tests.oracles.write import main
from tests.reference import SHARED, SMALL, needs_shared


@needs_shared
def test_the_small_oracles_are_up_to_date(tmp_path):
    main([str(SHARED / "oracles"), "--out", str(tmp_path)])
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {path.name for path in SMALL.iterdir() if path.is_file()} - {"write.py"}
    for path in tmp_path.iterdir():
        kept = SMALL / path.name
        if path.suffix == ".npz":  # its bytes depend on the version of zlib
            with np.load(path) as new, np.load(kept) as old:
                assert new.files == old.files
                assert all((new[name] == old[name]).all() for name in new.files)
        elif path.suffix == ".png":
            assert (cv2.imread(str(path)) == cv2.imread(str(kept))).all()
        elif path.suffix == ".json":
            assert json.loads(path.read_text()) == json.loads(kept.read_text())
        else:
            assert path.read_text() == kept.read_text()


def test_no_small_oracle_is_large():
    assert sum(path.stat().st_size for path in SMALL.iterdir() if path.is_file()) < 150_000
