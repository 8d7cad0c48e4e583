"""A causal convolution over time in place of a recurrence."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from throughtime.bench.successors.history import History, zeroed
from throughtime.train.asking.settings import check_count


class TemporalConvolution(History):
    r"""Residual blocks of dilated causal convolutions.

    Bai, Kolter & Koltun, 'An empirical evaluation of generic convolutional and
    recurrent networks for sequence modeling', 2018 (TCN). Block i, with dilation
    :math:`d = 2^i` and kernels of k steps:

    .. math::

        u_t &= r(b + \sum_{j<k} W_j x_{t-jd}), \quad
        v_t = r(b' + \sum_{j<k} W'_j u_{t-jd}) \\
        y_t &= r(v_t + x_t)

    where r is a ReLU, u and v have dropout, and a 1×1 convolution of x is added where
    sizes differ. Steps before the first are 0. Kernels are normalised by their size
    (Salimans & Kingma 2016). The output at t sees `reach` steps before it,
    :math:`2(k-1)(2^n-1)` of n blocks.

    Shapes: x ``(T, B, F)`` -> ``(T, B, H)``.

    Parameters
    ----------
    input_size
        F.
    channels
        H, of every block.
    blocks
        n.
    kernel_size
        k.
    dropout
        Probability that a value of a convolution's output is zeroed in training.
    device, dtype
        Of the weights, as in `torch.nn`.

    Raises
    ------
    NumberOutOfRange
        A size is too small.
    """

    leaves_zeros = True  # its last ReLU does

    def __init__(
        self,
        input_size: int,
        channels: int,
        blocks: int,
        *,
        kernel_size: int = 3,
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_count("channels", channels, 1)
        check_count("blocks", blocks, 1)
        check_count("kernel_size", kernel_size, 2)
        super().__init__(input_size, channels, reach(blocks, kernel_size))
        sizes = [input_size] + [channels] * blocks
        self.blocks = nn.ModuleList(
            Block(sizes[i], channels, kernel_size, 2**i, dropout) for i in range(blocks)
        ).to(device=device, dtype=dtype)

    def layers(self, x: Tensor, lengths: Tensor) -> list[Tensor]:
        """Give the output of each block; what is behind an end reaches no step."""
        found: list[Tensor] = []
        rows = x.permute(1, 2, 0)  # (B, F, T)
        for block in self.blocks:
            rows = block(rows)
            found.append(zeroed(rows.permute(2, 0, 1), lengths))
        return found


class Block(nn.Module):
    """Two causal convolutions of one dilation, and what goes past them.

    Parameters
    ----------
    input_size, channels
        F and H.
    kernel_size
        k.
    dilation
        d, the steps between two that a kernel reads.
    dropout
        As in `TemporalConvolution`.
    """

    def __init__(
        self,
        input_size: int,
        channels: int,
        kernel_size: int,
        dilation: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.before = (kernel_size - 1) * dilation
        self.convolutions = nn.ModuleList(
            weight_norm(nn.Conv1d(size, channels, kernel_size, dilation=dilation))
            for size in (input_size, channels)
        )
        self.dropout = nn.Dropout(dropout)
        alike = input_size == channels
        self.past = nn.Identity() if alike else nn.Conv1d(input_size, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Read ``(B, F, T)``: ``(B, H, T)``."""
        values = x
        for convolution in self.convolutions:
            values = convolution(functional.pad(values, (self.before, 0)))
            values = self.dropout(torch.relu(values))
        return torch.relu(values + self.past(x))


def reach(blocks: int, kernel_size: int = 3) -> int:
    """Say how many steps before it an output sees."""
    return 2 * (kernel_size - 1) * (2**blocks - 1)


def blocks_for(steps: int, kernel_size: int = 3) -> int:
    """Count the blocks whose last output sees a sequence of so many steps whole."""
    blocks = 1
    while reach(blocks, kernel_size) < steps - 1:
        blocks += 1
    return blocks
