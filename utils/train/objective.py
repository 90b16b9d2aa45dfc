"""What a network is trained for: the weighted terms of the loss, by name."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models import Network
from models.errors import InputError
from models.network import Stages
from utils import distributed
from utils.config.options import Config
from utils.distill import Distillation
from utils.infer.options import VIEWS
from utils.tasks import TASKS, Batch


class Objective(nn.Module):
    """The network with the terms that it is trained for.

        L = truth terms (output, truth) + teacher terms (output, teacher's output)
            + kd * distillation (stages, teacher's stages)
            + auxiliary terms (auxiliary output, truth)

    Sparsity of the gates pulls for itself, see `utils.prune.Sparsity`.

    Args:
        network: to be trained; its class decides the task.
        config: its sections `loss` and `distill`, and the data of the task.
        teacher: frozen, in evaluation mode; None trains on the truth alone.
        watch: gets the network's stages of every step.

    Raises:
        InputError: a stage or an auxiliary output that is to be judged and that the network does
            not have, a teacher of another task, or views of a teacher whose output weighs nothing.
    """

    def __init__(
        self,
        network: Network,
        config: Config,
        teacher: Network | None = None,
        watch: Callable[[Stages], None] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        if teacher is not None and teacher.task != network.task:
            raise InputError(
                f"teacher: a network for {teacher.task} ({teacher.name}) cannot teach one for "
                f"{network.task} ({network.name}); name another"
            )
        self.task = TASKS[network.task](config)
        self._kd, self._auxiliary = config.loss.kd, self.task.judges_auxiliary(network)
        self._watch, views = watch, config.distill.views
        if views and teacher is not None and not self.task.imitates:
            raise InputError(
                f"distill.views: {views} of a teacher whose output weighs nothing; leave it "
                "out, or raise loss.alpha_teacher (of segmentation: loss.soft_targets)"
            )
        self._flips = VIEWS[views][1:] if views else ()
        # Hidden from nn.Module: the teacher is neither trained nor saved. Folded, it is faster.
        self._teacher = (teacher, teacher and teacher.folded())
        self.distillation = None
        if teacher is not None and config.loss.kd:
            self.distillation = Distillation(config.distill, network, teacher)

    @property
    def teacher(self) -> Network | None:
        """Whom the network imitates."""
        return self._teacher[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Objective":
        for teacher in filter(None, self._teacher):
            teacher._apply(fn)  # hidden, but it goes where the network goes
        return super()._apply(fn, recurse)

    def compile(self, **options: object) -> None:
        """Let `torch.compile` make the passes of network and teacher, not the losses."""
        self._run = torch.compile(self._run, **options)

    def forward(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """The weighted terms, scalars to be summed, and the network's output."""
        output, stages = self._run(self.network, batch, bool(self._watch or self._auxiliary))
        if self._watch:
            self._watch(stages)
        terms = self.task.truth_terms(output, batch)
        if self._auxiliary and stages.auxiliary is not None:
            terms |= self.task.auxiliary_terms(stages.auxiliary, batch)
        taught = self.teacher is not None and (self.task.imitates or self.distillation)
        if taught:  # a teacher whose terms weigh nothing is not run
            # Not inference mode: some kinds save the teacher's maps for the backward pass.
            with torch.no_grad():
                target, teacher_stages = self._run(self._teacher[1], batch)
                target = self._mean_over_views(target, batch)
            if self.task.imitates:
                terms |= self.task.teacher_terms(output, target, batch)
        if distributed.size() > 1:
            share = distributed.weight(self.task.count(batch))
            terms = {name: value * share.to(value.dtype) for name, value in terms.items()}
        if taught and self.distillation is not None:
            for kind, value in self.distillation(stages, teacher_stages).items():
                terms[kind] = self._kd * value
        return terms, output

    def _mean_over_views(self, target: Tensor, batch: Batch) -> Tensor:
        """The mean of the teacher's output and of those of flipped pictures, flipped back."""
        views = [target]
        for axes in self._flips:
            dims = [axis - 2 for axis in axes]
            flipped = (part.flip(dims) for part in batch.inputs)
            views.append(self._teacher[1].compute(*flipped, None).flip(dims))
        return torch.stack(views).mean(0) if self._flips else target

    def _run(self, network: Network, batch: Batch, reads: bool = False) -> tuple[Tensor, Stages]:
        """The output; the stages where distillation or what else `reads` them needs them."""
        if not (self.distillation or reads):
            return network.compute(*batch.inputs, None), Stages()
        pre = self.distillation is not None and self.distillation.reads_pre
        return network.forward_features(*batch.inputs, pre=pre)
