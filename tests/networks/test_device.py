"""Devices by name, and the precision that a training computes in."""

import pytest
import torch

from models.errors import InputError
from utils.networks.device import autocast, choose


def test_devices_are_chosen_by_name():
    assert choose("cpu") == torch.device("cpu")
    assert choose("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["cuda:127", "cuda:99999999999"])
def test_a_device_that_is_not_here_is_refused(name):
    with pytest.raises(InputError, match=f"device: {name} is not here .* use auto"):
        choose(name)


@pytest.mark.parametrize("name", ["", "gpu", "mps", "cuda:x"])
def test_a_device_that_is_none_of_ours_is_refused(name):
    with pytest.raises(InputError, match="use auto, cpu, cuda or cuda:N"):
        choose(name)


def test_precision_decides_what_a_product_is_computed_in():
    cpu, a = torch.device("cpu"), torch.ones(2, 2)
    for precision, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with autocast(cpu, precision):
            assert (a @ a).dtype == kind
    with pytest.raises(InputError, match="float16 needs a GPU"):
        autocast(cpu, "float16")
