"""Training: the loop and what it is made of."""

from utils.tasks.matting import alpha_loss

__all__ = ["alpha_loss"]
