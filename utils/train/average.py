"""An exponential moving average of a network's weights."""

from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models import Network


class Average:
    """Follows a network: weights and statistics become decay * old + (1 - decay) * new.

    With decay 0 the average is the network itself.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self._live = network
        self._copy = None
        if decay:
            average = get_ema_multi_avg_fn(decay)
            self._copy = AveragedModel(network, multi_avg_fn=average, use_buffers=True)

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
