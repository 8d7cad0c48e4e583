"""Error that neither vanishes nor explodes, as a penalty.

Pascanu, Mikolov and Bengio ('On the difficulty of training recurrent neural networks',
ICML 2013, arXiv:1211.5063) ask of each step that error keeps its size on its way back::

    Ω_k = (‖∂E/∂s_{k+1} · ∂s_{k+1}/∂s_k‖ / ‖∂E/∂s_{k+1}‖ − 1)²

Here s are all states of a layer in one direction together, so that it is a penalty of
any cell: of an LSTM (h, c). Of Ω only the immediate derivative is used: states, inputs
and the error ∂E/∂s are what the backward pass of the loss found, and constant. So one
call of a single time step over all steps of all sequences side by side, and the
derivative of its derivative, are all that it takes.

Two things differ from the paper. Its state is the incoming activation, whose
derivative σ′ is then constant; here σ′ depends on the weights as well, as in any cell
a gate does. And Ω is the *mean* over steps, not their sum, as it is in the authors' own
program: so its factor means the same whatever the length.
"""

from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from throughtime.errors import NoErrorFlowed, NothingFlows
from throughtime.nn.layers import Layers
from throughtime.nn.recording import Recorder, Steps


class FlowPenalty:
    """Ω of the calls of a module: how far error is from keeping its size.

    In a ``with`` the module's calls are noted; what they give is the same. After the
    backward pass of the loss `penalty` is a tensor to be made small as well::

        flow = FlowPenalty(module)
        with flow:
            output, _ = module(input)
        loss(output).backward()
        (0.5 * flow.penalty().mean()).backward()

    Parameters
    ----------
    module
        A `Recurrent`, or one of `torch.nn`'s kinds from `throughtime.nn`.

    Raises
    ------
    NothingFlows
        Its cell has no state.
    """

    def __init__(self, module: Layers) -> None:
        if not module.state_names:
            raise NothingFlows(cell=module.graphs[0].cell)
        self.module = module
        self._recorder = Recorder()

    def __enter__(self) -> Self:
        self._recorder.calls.clear()
        self.module.recorder = self._recorder
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.module.recorder = None

    def penalty(self) -> Tensor:
        """Give Ω of each sequence, and forget the calls.

        Returns
        -------
        omega
            ``(B,)``: the mean over all steps of the sequence, in all layers and
            directions, that the error reaches; 0 where it reaches none. Differentiable
            with respect to the weights alone. Several calls are one sequence after the
            other: a call goes on with the states of the one before. Of a
            ``PackedSequence`` sequences are in the order in which torch has packed
            them.

        Raises
        ------
        NoErrorFlowed
            There was no call, no backward pass through it, or calls of batches that
            differ in size.
        """
        calls = [steps for steps in self._recorder.calls if steps.reached]
        self._recorder.calls.clear()
        if not calls:
            raise NoErrorFlowed(
                given="no call that error has flowed back through",
                expected="one",
                advice="call the module inside `with`, then backward() on its loss",
            )
        sizes = sorted({steps.size for steps in calls})
        if len(sizes) > 1:
            raise NoErrorFlowed(
                given=f"calls of batches of {' and '.join(map(str, sizes))} sequences",
                expected="batches of one size",
                advice="call penalty() after the backward pass of each of them",
            )
        total, count = 0.0, 0.0
        for steps in calls:
            each, reached = _of_steps(steps)
            nothing = each.new_zeros(steps.size)
            total = total + nothing.index_add(0, steps.sequences, each)
            count = count + nothing.index_add(0, steps.sequences, reached.to(each))
        return total / torch.as_tensor(count).clamp(min=1)


@torch.enable_grad()
def _of_steps(steps: Steps) -> tuple[Tensor, Tensor]:
    """Ω of each row, ``(R,)``, and whether error reaches it at all."""
    directions, reached = _directions(steps.gradients())
    before = [state.requires_grad_() for state in steps.before]
    back = torch.autograd.grad(
        steps.again(before),
        before,
        directions,
        create_graph=True,
        materialize_grads=True,
    )
    sizes = torch.linalg.vector_norm(torch.cat(back, -1), dim=-1)
    return torch.where(reached, (sizes - 1).square(), 0), reached


def _directions(errors: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """Make of errors ``(R, n)`` vectors of norm 1 together, where they are not 0.

    The derivative is linear in them. What nearly vanished would be lost by a square.
    """
    joint = torch.cat(errors, -1)
    largest = joint.abs().amax(-1, keepdim=True)
    reached = largest != 0
    joint = joint / torch.where(reached, largest, 1)
    norm = torch.linalg.vector_norm(joint, dim=-1, keepdim=True)
    joint = joint / torch.where(reached, norm, 1)
    return list(joint.split([one.shape[-1] for one in errors], -1)), reached[:, 0]
