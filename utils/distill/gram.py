"""The difference of two Gram matrices, never by subtracting large numbers or forming the large one.

With matrices a and b of k columns, and p = a + b, m = a - b,

    a'a - b'b = (p'm + m'p) / 2                                  k x k
    ||a'a - b'b||^2 = (<pp', mm'> + <pm', (pm')'>) / 2           d x d, where columns have d entries

Both sides are small when a is near b, so float32 keeps its digits where a student imitates well;
||a'a||^2 + ||b'b||^2 - 2 ||ab'||^2 loses all of them. The gradients have closed forms of the same
kind. They are written out because autograd would keep every intermediate map for them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from utils.distill.closed_form import attach, wants_gradient

UNIT_EPSILON = 1e-7  # added to the length of a vector, as the SPKD and DCP releases do
LEAST_LENGTH = 1e-12  # that a channel's map is divided by, as NST's release does


def unit_gram_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of (s's - t't)^2 over the batch and the k x k pairs, columns s and t at unit length.

    A column x becomes x / (|x| + 1e-7), so a dead one stays zero. Time and memory grow with the
    smaller of d and k squared; the gradient is computed along with the value, and is all that is
    kept for the backward pass.

    Args:
        student: (N,d,k), the vectors in columns.
        teacher: (N,d',k); the shorter columns are padded with zeros. It gets no gradient.

    Returns:
        A scalar in [0, 4], float32 (float64 if an argument is).
    """
    columns = _Unit(1, lambda norm: norm + UNIT_EPSILON)
    return _gram_loss(student, teacher, columns, columns, 1 / student.shape[2] ** 2)


def mean_discrepancy(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over the batch of |s's / d - t't / d'|^2, the rows of s and t at unit length.

    It is the squared maximum mean discrepancy of the rows under the kernel (x'y)^2. A row x becomes
    x / max(|x|, 1e-12). Time and memory are those of `unit_gram_loss`.

    Args:
        student: (N,d,k), the vectors in rows.
        teacher: (N,d',k). It gets no gradient.

    Returns:
        A scalar in [0, 2], float32 (float64 if an argument is).
    """
    rows = _Unit(2, lambda norm: norm.clamp(min=LEAST_LENGTH), student.shape[1] ** -0.5)
    return _gram_loss(student, teacher, rows, rows._replace(length=teacher.shape[1] ** -0.5), 1.0)


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


def check_maps(student: Tensor, teacher: Tensor, same_width: bool) -> None:
    """Raise ValueError unless both are (N,C,H,W) of the same N, H, W (and C if `same_width`)."""
    shapes = f"student {tuple(student.shape)}, teacher {tuple(teacher.shape)}"
    if student.ndim != 4 or teacher.ndim != 4:
        raise ValueError(f"feature maps must be (N,C,H,W): {shapes}")
    if student.shape[0] != teacher.shape[0] or student.shape[2:] != teacher.shape[2:]:
        raise ValueError(f"feature maps must have the same N, H and W: {shapes}")
    if same_width and student.shape[1] != teacher.shape[1]:
        raise ValueError(f"feature maps must have the same width, adapt the student's: {shapes}")


# torch 2.9 split the switch by backend; mixing the new and the old way of reading it is an error.
_NEW_SWITCH = hasattr(torch.backends.cuda.matmul, "fp32_precision") and hasattr(
    getattr(torch.backends.mkldnn, "matmul", None), "fp32_precision"
)


class _Unit(NamedTuple):
    """How a matrix is scaled: every vector along `dim` to the length `length`."""

    dim: int
    radius: Callable[[Tensor], Tensor]  # of their lengths: above 0, so that a dead one stays zero
    length: float = 1.0

    def apply(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled matrix, and the lengths before."""
        unit = x.square()  # ten times faster on the CPU than vector_norm over a strided dimension
        norm = unit.sum(self.dim, keepdim=True).sqrt_()
        return torch.div(x, self.radius(norm) / self.length, out=unit), norm

    def backward_(self, gradient: Tensor, x: Tensor, norm: Tensor, spare: Tensor) -> None:
        """Turn the gradient by the scaled matrix into the gradient by `x`, in place.

        A dead vector gets none: it has no direction, and its own would be out of all proportion.
        """
        radius = self.radius(norm).masked_fill_(norm == 0, torch.inf)
        along = torch.mul(gradient, x, out=spare).sum(self.dim, keepdim=True)
        along /= (norm * radius).masked_fill_(norm == 0, torch.inf)
        gradient.addcmul_(x, along, value=-1).div_(radius / self.length)


def _gram_loss(
    student: Tensor, teacher: Tensor, unit: _Unit, teacher_unit: _Unit, scale: float
) -> Tensor:
    """`scale` times the mean over the batch of |a'a - b'b|^2, a and b the scaled matrices."""
    with full_precision(student.device):
        student, teacher = in_full_precision(student, teacher)
        wanted = wants_gradient(student)
        with torch.no_grad():
            loss, gradient = _loss_and_gradient(
                student, teacher, unit, teacher_unit, scale / len(student), wanted
            )
    return attach(loss, (student, gradient)) if wanted else loss


def _loss_and_gradient(
    student: Tensor,
    teacher: Tensor,
    unit: _Unit,
    teacher_unit: _Unit,
    scale: float,
    with_gradient: bool,
) -> tuple[Tensor, Tensor | None]:
    """The loss and its gradient by `student`; never more than three maps alive, the result among
    them, which is why so much is done in place."""
    _, length, count = student.shape
    a, norm = unit.apply(student)
    b, _ = teacher_unit.apply(teacher)
    plus, minus = _sum_and_difference_(*_same_length(a, b))
    del a, b
    gradient = torch.empty_like(student) if with_gradient else None
    if count <= plus.shape[1]:
        product = plus.mT @ minus
        difference = (product + product.mT) / 2
        loss = difference.square().sum() * scale
        if gradient is not None:  # 4 a (a'a - b'b)
            twice_a = plus.add_(minus)[:, :length]
            torch.bmm(twice_a, difference.mul_(2 * scale), out=gradient)
    else:
        pp, mm, pm = plus @ plus.mT, minus @ minus.mT, plus @ minus.mT
        squares = ((pp * mm).sum((1, 2)) + (pm * pm.mT).sum((1, 2))) / 2
        # A square, but the second inner product may be negative: rounding must not show.
        loss = squares.clamp(min=0).sum() * scale
        if gradient is not None:  # 2 (ap' m + am' p), again without a'a - b'b
            torch.bmm((pp + pm.mT).mul_(scale)[:, :length], minus, out=gradient)
            gradient.baddbmm_((pm + mm).mul_(scale)[:, :length], plus)
    if gradient is not None:
        del minus
        unit.backward_(gradient, student, norm, spare=plus[:, :length])
    return loss, gradient


def _same_length(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Columns padded with zeros to one length, which leaves both Gram matrices as they were."""
    missing = a.shape[-2] - b.shape[-2]
    if missing > 0:
        b = functional.pad(b, (0, 0, 0, missing))
    elif missing < 0:
        a = functional.pad(a, (0, 0, 0, -missing))
    return a, b


def _sum_and_difference_(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """a + b and a - b, in the memory of a and b."""
    minus = torch.sub(a, b, out=b)
    return a.mul_(2).sub_(minus), minus
