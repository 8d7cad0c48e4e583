"""Several answers at once, each one of its own classes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from throughtime.nn.heads import Head, check_classes, check_shape, cross_entropy


class Softmaxes(Head):
    """One of K₁ classes, one of K₂, …: a softmax for each of G groups.

    Targets are ``(…, G)`` whole numbers, each the place of a class in its group. The
    loss of the target −100, torch's mark for what does not count, is 0.

    Parameters
    ----------
    input_size
        H, the units that the network gives.
    sizes
        K₁ to K_G. The logits of the groups stand side by side.
    zeros, backend, device, dtype
        As in `Head`.
    """

    def __init__(
        self,
        input_size: int,
        sizes: Sequence[int],
        *,
        zeros: bool = False,
        backend: str = "auto",
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            input_size,
            sum(sizes),
            zeros=zeros,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        self.sizes = tuple(sizes)

    def activate(self, logits: Tensor) -> Tensor:
        """Give the probability of each class ``(…, K)``; those of a group sum to 1."""
        groups = logits.split(self.sizes, -1)
        return torch.cat([torch.softmax(group, -1) for group in groups], -1)

    def _check_target(self, logits: Tensor, target: Tensor) -> None:
        check_shape(target, (*logits.shape[:-1], len(self.sizes)))
        check_classes(target)

    def _each(self, logits: Tensor, target: Tensor) -> Tensor:
        """Give the cross-entropy of each group ``(…, G)``, in nats."""
        groups = logits.split(self.sizes, -1)
        losses = [cross_entropy(a, target[..., g]) for g, a in enumerate(groups)]
        return torch.stack(losses, -1)
