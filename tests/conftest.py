"""Fixtures that several files of tests share."""

from pathlib import Path

import pytest

from tests.sets import prepare, write_set


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """A tiny data set, ready to train on."""
    return prepare(write_set(tmp_path_factory.mktemp("data") / "tiny"))
