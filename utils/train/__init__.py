"""Training: the loop and what it is made of."""

from utils.tasks.matting_losses import alpha_loss

__all__ = ["alpha_loss"]
