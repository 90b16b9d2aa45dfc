"""What the losses of feature maps share: shapes, full precision, gradients made with the loss."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

# torch 2.9 split the switch by backend; mixing the new and the old way of reading it is an error.
_NEW_SWITCH = hasattr(torch.backends.cuda.matmul, "fp32_precision") and hasattr(
    getattr(torch.backends.mkldnn, "matmul", None), "fp32_precision"
)


def check_maps(student: Tensor, teacher: Tensor, same_width: bool) -> None:
    """Raise ValueError unless both are (N,C,H,W) of the same N, H, W (and C if `same_width`)."""
    shapes = f"student {tuple(student.shape)}, teacher {tuple(teacher.shape)}"
    if student.ndim != 4 or teacher.ndim != 4:
        raise ValueError(f"feature maps must be (N,C,H,W): {shapes}")
    if student.shape[0] != teacher.shape[0] or student.shape[2:] != teacher.shape[2:]:
        raise ValueError(f"feature maps must have the same N, H and W: {shapes}")
    if same_width and student.shape[1] != teacher.shape[1]:
        raise ValueError(f"feature maps must have the same width, adapt the student's: {shapes}")


def in_full_precision(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Both tensors in float32, or in float64 if one of them is; the teacher detached."""
    dtype = torch.promote_types(torch.promote_types(student.dtype, teacher.dtype), torch.float32)
    return student.to(dtype), teacher.detach().to(dtype)


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Inside, float32 products are made in float32: no autocast, no TF32, no bfloat16."""
    backends = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul) if _NEW_SWITCH else ()
    before = [backend.fp32_precision for backend in backends]
    before_all = None if _NEW_SWITCH else torch.get_float32_matmul_precision()
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        if before_all is not None:
            torch.set_float32_matmul_precision("highest")
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.fp32_precision = value
        if before_all is not None:
            torch.set_float32_matmul_precision(before_all)


def wants_gradient(*inputs: Tensor) -> bool:
    """Whether backward may be called for one of them."""
    return torch.is_grad_enabled() and any(x.requires_grad for x in inputs)


def attach(loss: Tensor, *gradients: tuple[Tensor, Tensor]) -> Tensor:
    """A scalar loss, computed without autograd, that can be differentiated once.

    Args:
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
