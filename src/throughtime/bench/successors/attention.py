"""Causal self-attention in place of a recurrence."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from throughtime.bench.successors.history import History, zeroed
from throughtime.errors import NumberOutOfRange
from throughtime.train.asking.settings import check_count


class CausalAttention(History):
    """Blocks of causal self-attention, each normalised before what it does.

    Vaswani et al., 'Attention is all you need', 2017; the normalisation as of Xiong et
    al., 'On layer normalization in the transformer architecture', 2020. Positions are
    sinusoids.

    Time and memory grow with the square of the steps. So no more than W steps are
    looked at together: longer sequences go through in windows of W that overlap by
    half. Every answer sees all W / 2 steps before it, or all there are, and W - 1 at
    most.

    Shapes: x ``(T, B, F)`` -> ``(T, B, H)``.

    Parameters
    ----------
    input_size
        F.
    units
        H, even, and a multiple of the heads.
    blocks
        How many.
    window
        W, even.
    heads
        Among which the units are divided.
    dropout
        Probability that a value of what a block adds is zeroed in training.
    device, dtype
        Of the weights, as in `torch.nn`.

    Raises
    ------
    NumberOutOfRange
        A size cannot be.
    """

    def __init__(
        self,
        input_size: int,
        units: int,
        blocks: int,
        window: int,
        *,
        heads: int = 4,
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_count("heads", heads, 1)
        check_count("blocks", blocks, 1)
        _check_multiple("units", units, math.lcm(heads, 2))
        _check_multiple("window", window, 2)
        super().__init__(input_size, units, window // 2)
        self.window = window
        options: Any = {"device": device, "dtype": dtype}
        self.embedding = nn.Linear(input_size, units, **options)
        self.blocks = nn.ModuleList(
            Block(units, heads, dropout) for _ in range(blocks)
        ).to(**options)
        self.norm = nn.LayerNorm(units, **options)

    def layers(self, x: Tensor, lengths: Tensor) -> list[Tensor]:
        """Give the output of each block, the last one normalised."""
        steps, half = len(x), self.window // 2
        more = max(0, -(-(steps - self.window) // half))
        if not more:
            found = self._attend(x)
        else:
            # The last window is filled up by steps behind every sequence's end.
            missing = self.window + more * half - steps
            x = functional.pad(x, (0, 0, 0, 0, 0, missing))
            windows = x.unfold(0, self.window, half)  # (N, B, F, W)
            apart = windows.permute(3, 0, 1, 2).flatten(1, 2)  # (W, N·B, F)
            found = [self._joined(one, more + 1) for one in self._attend(apart)]
        return [zeroed(one[:steps], lengths) for one in found]

    def _joined(self, values: Tensor, count: int) -> Tensor:
        """Put windows ``(W, N·B, H)`` one behind the other, each without its past."""
        windows = values.unflatten(1, (count, -1))
        later = windows[self.window // 2 :, 1:]  # (W / 2, N - 1, B, H)
        return torch.cat([windows[:, 0], later.transpose(0, 1).flatten(0, 1)])

    def _attend(self, x: Tensor) -> list[Tensor]:
        """Read ``(T, B, F)``, T at most W."""
        steps = len(x)
        values = self.embedding(x) + sinusoids(steps, self.output_size, x)[:, None]
        values = values.transpose(0, 1)
        found: list[Tensor] = []
        for block in self.blocks:
            values = block(values)
            found.append(values)
        found[-1] = self.norm(values)
        return [one.transpose(0, 1) for one in found]


class Block(nn.Module):
    """Attention to all steps so far, then two layers for each step alone.

    What PyTorch's `TransformerEncoderLayer` computes behind a mask, but without one, so
    that on a CPU no step looks at those to come, and without dropout of the weights of
    attention, which are too many to draw.

    Parameters
    ----------
    units, heads, dropout
        As in `CausalAttention`; the inner size is 4H.
    """

    def __init__(self, units: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_inner = nn.LayerNorm(units), nn.LayerNorm(units)
        self.query_key_value = nn.Linear(units, 3 * units)
        self.join = nn.Linear(units, units)
        self.inner = nn.Sequential(
            nn.Linear(units, 4 * units),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * units, units),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Read ``(B, T, H)``, and add to it."""
        parts = self.query_key_value(self.norm_attention(x))
        divided = parts.unflatten(-1, (3, self.heads, -1))
        query, key, value = divided.permute(2, 0, 3, 1, 4)  # (B, heads, T, H / heads)
        seen = functional.scaled_dot_product_attention(
            query, key, value, is_causal=True
        )
        x = x + self.dropout(self.join(seen.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.inner(self.norm_inner(x)))


def sinusoids(steps: int, size: int, like: Tensor) -> Tensor:
    r"""Give the positions ``(T, n)`` of Vaswani et al. (2017), n even.

    .. math::

        p_{t,2i} = \sin(t / 10000^{2i/n}), \quad p_{t,2i+1} = \cos(t / 10000^{2i/n})
    """
    step = torch.arange(steps, device=like.device, dtype=torch.float64)[:, None]
    place = torch.arange(0, size, 2, device=like.device, dtype=torch.float64)
    angle = step * torch.exp(-math.log(10_000.0) * place / size)
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1).to(like.dtype)


def _check_multiple(argument: str, given: int, of: int) -> None:
    check_count(argument, given, 1)
    if given % of:
        expected = f"a multiple of {of}"
        raise NumberOutOfRange(argument=argument, given=given, expected=expected)
