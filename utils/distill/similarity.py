"""Which pixels, channels or pictures resemble each other: SPKD's losses and two of their kin.

Each docstring holds the loss as one would write it; the code below computes the same without
forming what is large or subtracting what is nearly equal. With matrices a and b of k columns of d
entries, and p = a + b, m = a - b,

    a'a - b'b = (p'm + m'p) / 2                                  k x k
    ||a'a - b'b||^2 = (<pp', mm'> + <pm', (pm')'>) / 2           d x d

Both right sides are small when a is near b, so float32 keeps its digits where a student imitates
well; ||a'a||^2 + ||b'b||^2 - 2 ||ab'||^2 loses all of them. The gradients have closed forms of the
same kind, written out because autograd would keep every intermediate map for them.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from utils import distributed
from utils.distill.maps import (
    attach,
    check_maps,
    full_precision,
    in_full_precision,
    wants_gradient,
)

UNIT_EPSILON = 1e-7  # added to the length of a vector, as the SPKD and DCP releases do
LEAST_LENGTH = 1e-12  # that a channel's map or a row is divided by, as NST's release does
CHUNK = 2**18  # numbers converted to float64 at once


def spatial_similarity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """SPKD: which pixels of a feature map resemble each other, by cosine.

        def similarity(maps):                                     # (N,C,H,W) -> (N,HW,HW)
            columns = maps.flatten(2)
            columns = columns / (columns.norm(dim=1, keepdim=True) + 1e-7)
            return columns.mT @ columns

        loss = (similarity(student) - similarity(teacher)).square().mean()

    Time and memory grow with the smaller of C and HW squared. In [0, 4]; in [0, 1] after a ReLU.
    The teacher may have any width: no adapter is needed.

    Paper: Yoon, Park, Cho, SPKD, IEEE Signal Processing Letters 2020.
    """
    check_maps(student, teacher, same_width=False)
    return _unit_gram_loss(student.flatten(2), teacher.flatten(2))


def channel_similarity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """SPKD: which channels of a feature map fire at the same places, by cosine.

        def similarity(maps):                                     # (N,C,H,W) -> (N,C,C)
            rows = maps.flatten(2)
            rows = rows / (rows.norm(dim=2, keepdim=True) + 1e-7)
            return rows @ rows.mT

        loss = (similarity(student) - similarity(teacher)).square().mean()

    In [0, 4]; in [0, 1] after a ReLU. `Adapters` map the student to the teacher's width.

    Paper: Yoon, Park, Cho, SPKD, IEEE Signal Processing Letters 2020.
    """
    check_maps(student, teacher, same_width=True)
    return _unit_gram_loss(student.flatten(2).mT, teacher.flatten(2).mT)


def nst_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Neuron selectivity transfer: the squared maximum mean discrepancy of the channels' maps.

        def kernel(x, y):                                         # (N,C,H,W), (N,C',H,W) -> (N,)
            x, y = (functional.normalize(maps.flatten(2), dim=2) for maps in (x, y))
            return (x @ y.mT).square().mean((1, 2))

        loss = (kernel(t, t) + kernel(s, s) - 2 * kernel(s, t)).mean()

    In [0, 2]. With that kernel it is |s's / C - t't / C'|^2, s and t the unit rows. The teacher may
    have any width: means do not know it.

    Paper: Huang and Wang, "Like What You Like: Knowledge Distill via Neuron Selectivity Transfer",
    2017.
    """
    check_maps(student, teacher, same_width=False)
    rows = _Unit(2, lambda norm: norm.clamp(min=LEAST_LENGTH), student.shape[1] ** -0.5)
    target_rows = rows._replace(length=teacher.shape[1] ** -0.5)
    return _gram_loss(student.flatten(2), teacher.flatten(2), rows, target_rows, 1.0)


def batch_similarity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Which pictures of a batch resemble each other.

        def similarity(maps):                                     # (N,C,H,W) -> (N,N)
            rows = maps.flatten(1)
            return functional.normalize(rows @ rows.T, dim=1)

        loss = (similarity(student) - similarity(teacher)).square().mean()

    In [0, 4 / N]; zero for a batch of one. The teacher may have any width. Of several processes the
    batch is that of all of them.

    Paper: Tung and Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019.
    """
    check_maps(student, teacher, same_width=False)
    student, teacher = in_full_precision(student, teacher)
    with full_precision(student.device):
        rows, target_rows = (
            functional.normalize(_PictureGram.apply(features), dim=1, eps=LEAST_LENGTH)
            for features in map(distributed.gathered, (student, teacher))
        )
        return functional.mse_loss(rows, target_rows).to(student.dtype)


# The fast form


def _unit_gram_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of (s's - t't)^2 over the batch and the k x k pairs, columns (N,d,k) at unit length."""
    columns = _Unit(1, lambda norm: norm + UNIT_EPSILON)
    return _gram_loss(student, teacher, columns, columns, 1 / student.shape[2] ** 2)


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
        with_gradient = wants_gradient(student)
        with torch.no_grad():
            loss, gradient = _loss_and_gradient(
                student, teacher, unit, teacher_unit, scale / len(student), with_gradient
            )
    return attach(loss, (student, gradient)) if with_gradient else loss


def _loss_and_gradient(
    student: Tensor,
    teacher: Tensor,
    unit: _Unit,
    teacher_unit: _Unit,
    scale: float,
    with_gradient: bool,
) -> tuple[Tensor, Tensor | None]:
    """The loss and its gradient by `student`, (N,d,k); `teacher` is (N,d',k).

    Never more than three maps are alive, the result among them: much is done in place.
    """
    _, length, count = student.shape
    a, norm = unit.apply(student)
    b, _ = teacher_unit.apply(teacher)
    # Columns padded with zeros to one length leave both Gram matrices as they were.
    if (missing := a.shape[1] - b.shape[1]) > 0:
        b = functional.pad(b, (0, 0, 0, missing))
    elif missing < 0:
        a = functional.pad(a, (0, 0, 0, -missing))
    minus = torch.sub(a, b, out=b)
    plus = a.mul_(2).sub_(minus)
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


class _PictureGram(torch.autograd.Function):
    """(N,C,H,W) -> (N,N), in float64, in chunks so that the maps are not copied to it.

    Its rows are scaled before they are compared, so that the identity above does not apply.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        batch, _, height, width = features.shape
        gram = features.new_zeros((batch, batch), dtype=torch.float64)
        for chunk in features.split(max(1, CHUNK // (batch * height * width)), dim=1):
            pictures = chunk.flatten(1).double()
            gram.addmm_(pictures, pictures.T)
        return gram

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, upstream: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        with full_precision(features.device):
            weight = (upstream + upstream.T).to(features.dtype)
            return (weight @ features.flatten(1)).view(features.shape)
