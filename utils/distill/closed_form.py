"""Losses whose gradients are computed along with them: nothing else is kept for backward."""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


def wants_gradient(*inputs: Tensor) -> bool:
    """Whether backward may be called for one of them."""
    return torch.is_grad_enabled() and any(x.requires_grad for x in inputs)


def attach(loss: Tensor, *gradients: tuple[Tensor, Tensor]) -> Tensor:
    """A loss, computed without autograd, that can be differentiated once.

    Args:
        loss: a scalar.
        gradients: (an input, the gradient by it) for each input that gets one.
    """
    return _ClosedForm.apply(loss, *(tensor for pair in gradients for tensor in pair))


class _ClosedForm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, loss: Tensor, *inputs_and_gradients: Tensor) -> Tensor:
        ctx.save_for_backward(*inputs_and_gradients[1::2])
        return loss.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, upstream: Tensor) -> tuple[Tensor | None, ...]:
        scaled = (gradient * upstream for gradient in ctx.saved_tensors)
        return None, *(part for gradient in scaled for part in (gradient, None))
