"""The digest: equal contents share it, and any change in them changes it."""

import pytest
import torch

from models.files.digest import digest
from tests.refusals import refused

DIFFERENT = [
    None,
    True,
    False,
    0,
    1,
    0.0,
    -0.0,
    1.0,
    1e-300,
    "",
    "1",
    "None",
    b"1",
    [],
    [1],
    [[1]],
    [1, 2],
    [2, 1],
    ["12"],
    ["1", "2"],
    {},
    {"a": 1},
    {"b": 1},
    {"a": {"b": 1}},
    {1: "a"},
    torch.zeros(0),
    torch.zeros(1),
    torch.zeros(()),
    torch.zeros(1, 1),
    torch.zeros(1).half(),
    torch.zeros(1).bfloat16(),
    torch.zeros(1).int(),
    torch.tensor([-0.0]),
    torch.zeros(1, dtype=torch.bool),
    torch.arange(6.0),
    torch.arange(6.0).view(2, 3),
    torch.arange(6.0).view(3, 2),
    torch.arange(6.0).view(2, 3).flip(0),
]


def test_different_contents_have_different_digests():
    found = [digest(content) for content in DIFFERENT]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 2), [1, 2]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (torch.arange(6.0).view(2, 3), torch.arange(6.0).view(2, 3).t().contiguous().t()),
        (torch.arange(6.0)[::2], torch.tensor([0.0, 2.0, 4.0])),
        (torch.nn.Parameter(torch.ones(2)), torch.ones(2)),
    ],
    ids=["tuple", "order", "layout", "part", "parameter"],
)
def test_equal_contents_share_it(one, other):
    assert digest(one) == digest(other)


def test_what_is_no_plain_data_is_named():
    assert "it holds a set" in refused(digest, {"a": {1}})
