"""Tensors lie in large pages, unless the user or the system has chosen otherwise."""

import os
import resource

import pytest
import torch

from utils.cli import pages

MEGABYTES = 32
SMALL_PAGES = MEGABYTES * 2**20 // resource.getpagesize()


def system_gives_them() -> bool:
    if not pages.LARGE_PAGES.is_dir():
        return False
    return "[never]" not in (pages.LARGE_PAGES / "enabled").read_text()


def pages_of_a_tensor() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(MEGABYTES * 2**18)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not system_gives_them(), reason="the system has no large pages to give")
@pytest.mark.skipif(os.environ.get("THP_MEM_ALLOC_ENABLE") == "0", reason="the user wants none")
def test_a_large_tensor_is_made_of_few_pages():
    least = min(pages_of_a_tensor() for _ in range(3))  # what is in pieces now may be whole soon
    assert least < SMALL_PAGES / 4


@pytest.mark.parametrize(("chosen", "kept"), [(None, "1"), ("0", "0")])
def test_who_has_chosen_keeps_it(monkeypatch, tmp_path, chosen, kept):
    monkeypatch.setattr(pages, "LARGE_PAGES", tmp_path)
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    if chosen:
        monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", chosen)
    pages.ask_for_large_pages()
    assert os.environ["THP_MEM_ALLOC_ENABLE"] == kept


def test_a_system_without_them_is_not_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(pages, "LARGE_PAGES", tmp_path / "none")
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    pages.ask_for_large_pages()
    assert "THP_MEM_ALLOC_ENABLE" not in os.environ
