"""Devices by name, and the precision that a training computes in."""

import pytest
import torch

from models.errors import InputError
from utils.networks.device import autocast, choose


def test_devices_are_chosen_by_name():
    assert choose("cpu") == torch.device("cpu")
    assert choose("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("name", "words"),
    [("cuda:127", "device: cuda:127 is not here .* use auto"), ("mps", "use auto, cpu, cuda or")],
)
def test_a_device_that_cannot_be_is_refused(name, words):
    with pytest.raises(InputError, match=words):
        choose(name)


def test_precision_decides_what_a_product_is_computed_in():
    cpu, a = torch.device("cpu"), torch.ones(2, 2)
    for precision, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with autocast(cpu, precision):
            assert (a @ a).dtype == kind
    with pytest.raises(InputError, match="float16 needs a GPU"):
        autocast(cpu, "float16")
