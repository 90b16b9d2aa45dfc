"""Training: the loop and what it is made of."""

from utils.train.loss import alpha_loss

__all__ = ["alpha_loss"]
