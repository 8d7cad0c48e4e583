"""The parts of a diagnosis beyond gradients: how states move, where the weights lie."""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from throughtime.diagnose import fixed_points, loss_surface, lyapunov_spectrum
from throughtime.errors import StatesDiverged
from throughtime.train.diagnosing.looking import Look
from throughtime.train.files.folder import INITIAL
from throughtime.train.files.storage import read_weights
from throughtime.train.runs import Run

_SEQUENCES = 2
_STEPS = 100
_EXPONENTS = 16
# A Jacobian is of N² numbers for each step; so many numbers in all take some seconds.
_NUMBERS = 2e7
# Too few steps say nothing of what is on average.
_FEWEST_STEPS = 20
# A search for fixed points decomposes many such matrices.
_MOST_UNITS = 128
_STARTS = 4
_POINTS = 11

Call = tuple[Tensor, dict[str, Any]]


def spectrum(look: Look) -> list[dict[str, Any]] | None:
    """Say how fast neighbouring states part, on the longest of the sequences.

    None for steps that name items, for networks too large or sequences too short, and
    where states are not finite.
    """
    call = _some(look)
    if call is None:
        return None
    x, further = call
    try:
        found = lyapunov_spectrum(
            look.model.recurrent, x, exponents=min(_EXPONENTS, _units(look)), **further
        )
    except StatesDiverged:
        return None
    return [
        {
            "layer": layer,
            "direction": direction,
            "exponents": one.exponents.tolist(),
            "kaplan_yorke": one.kaplan_yorke,
            "horizon": one.horizon,
            "steps": len(x),
        }
        for (layer, direction), one in found.items()
    ]


def points(look: Look) -> list[dict[str, Any]] | None:
    """Say where states stand still under what is read on average; None as above."""
    call = _some(look)
    if call is None or _units(look) > _MOST_UNITS:
        return None
    x, further = call
    try:
        found = fixed_points(look.model.recurrent, x, starts=_STARTS, **further)
    except StatesDiverged:
        return None
    return [
        {
            "layer": one.layer,
            "direction": one.direction,
            "speed": one.speed,
            "kind": one.kind,
            "largest": one.largest,
            "unstable": one.unstable,
            "count": one.count,
        }
        for one in found
    ]


def surface(run: Run, look: Look) -> dict[str, Any]:
    """Say what the loss of the sequences looks like around the weights."""
    model, before = look.model, copy.deepcopy(look.model)
    read_weights(run.path / INITIAL, before)
    found = loss_surface(
        look.mean_loss,
        model.named_parameters(),
        initial=before.named_parameters(),
        points=_POINTS,
    )
    return found.to_json()


def _units(look: Look) -> int:
    """N, the units of all states of a layer, of the largest one."""
    graphs = look.model.recurrent.graphs
    return max(sum(state.size for state in graph.states) for graph in graphs)


@torch.no_grad()
def _some(look: Look) -> Call | None:
    """What the network reads of the first steps of a few long sequences."""
    x, further = look.read
    if not isinstance(x, Tensor):
        return None
    rows = np.argsort(look.lengths, kind="stable")[::-1][:_SEQUENCES].copy()
    most = int(_NUMBERS / (len(rows) * _units(look) ** 2))
    steps = min(_STEPS, most, int(look.lengths[rows[-1]]))
    if steps < _FEWEST_STEPS:
        return None
    chosen = torch.from_numpy(rows)
    lengths = further.pop("lengths")[chosen].clamp(max=steps)
    inputs = {name: one[:steps, chosen] for name, one in further.items()}
    return x[:steps, chosen], {"lengths": lengths, **inputs}
