"""One call for every recurrent module, with what a stream needs."""

from collections.abc import Sequence

from torch import Tensor

from throughtime.nn.layers import Layers
from throughtime.nn.sequences import Lengths, read, read_states


def run_steps(
    module: Layers,
    x: Tensor,
    state: Tensor | Sequence[Tensor] | None = None,
    *,
    lengths: Lengths | None = None,
    resets: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Run over whole sequences, as `Recurrent` does, also where `torch.nn` could not.

    Parameters
    ----------
    module
        `Recurrent`, `RNN`, `LSTM` or `GRU`.
    x, state, lengths, resets
        As in a call of `Recurrent`.

    Returns
    -------
    output
        ``(T, B, D·H)``.
    states
        ``(L·D, B, n)`` each.
    """
    batch = read(module, x, {}, lengths, resets, in_step=True)
    labels = [f"state.{name}" for name in module.state_names]
    start = read_states(module, batch, state, "state", labels)
    rows, finals = module.run_rows(
        batch.rows, start, batch.steps, batch.parts, batch.packing
    )
    output = batch.output(rows)
    assert isinstance(output, Tensor)  # as x is one
    return output, batch.finals(finals)
