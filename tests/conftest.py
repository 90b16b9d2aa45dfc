"""Fixtures that several files of tests share."""

from pathlib import Path

import pytest

from tests.sets import write_set
from utils.data.split import write_split


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """A tiny data set, split."""
    root = write_set(tmp_path_factory.mktemp("data") / "tiny")
    write_split(root, 0.25, seed=0)
    return root
