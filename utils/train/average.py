"""An exponential moving average of a network's weights."""

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from models import Network

WARMUP = 10  # steps; see `Average`


class Average:
    """Follows a network: weights and statistics become decay * old + (1 - decay) * new.

    The decay of step n is at most (1 + n) / (10 + n), so that a short training is no average with
    its start. With decay 0 the average is the network itself.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self._live = network
        self._copy = None
        if decay:

            @torch.no_grad()
            def follow(old: list[Tensor], new: list[Tensor], _: Tensor) -> None:
                steps = int(self._copy.n_averaged)  # the argument would wait for the GPU
                share = 1 - min(decay, (1 + steps) / (WARMUP + steps))
                if old[0].is_floating_point():
                    torch._foreach_lerp_(old, new, share)
                else:
                    torch._foreach_copy_(old, new)

            self._copy = AveragedModel(network, multi_avg_fn=follow, use_buffers=True)

    @property
    def network(self) -> Network:
        """What to validate and to keep."""
        return self._copy.module if self._copy else self._live

    def update(self) -> None:
        """Take in the weights of now; call it after each step."""
        if self._copy:
            self._copy.update_parameters(self._live)

    def state_dict(self) -> dict:
        return self._copy.state_dict() if self._copy else {}

    def load_state_dict(self, state: dict) -> None:
        if self._copy:
            self._copy.load_state_dict(state)
