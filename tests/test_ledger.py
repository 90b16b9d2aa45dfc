"""The ledger: means of the loss terms, and a loss that is not finite one step later."""

import math

import pytest
import torch

from models.errors import InputError
from utils.train.ledger import Ledger


def noted(*values: float) -> Ledger:
    ledger = Ledger()
    for step, value in enumerate(values, 1):
        ledger.add(step, {"alpha": torch.tensor(value), "spatial": torch.tensor(2 * value)})
    return ledger


def test_means_are_those_of_all_steps_since_the_last_call():
    ledger = noted(1.0, 2.0, 6.0)
    assert ledger.means() == {"alpha": 3.0, "spatial": 6.0}
    ledger.add(4, {"alpha": torch.tensor(5.0)})
    assert ledger.means() == {"alpha": 5.0}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_told_with_its_step(value):
    ledger = noted(1.0, value)
    with pytest.raises(InputError, match=f"step 2: the alpha loss is {value}"):
        ledger.add(3, {"alpha": torch.tensor(1.0)})
    with pytest.raises(InputError, match="step 1: the alpha loss"):
        noted(value).settle()
