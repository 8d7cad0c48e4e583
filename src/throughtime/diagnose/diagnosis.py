"""What a diagnosis says: its parts, each as a file and a page can hold it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

VERSION = 1

Severity = Literal["alarm", "note", "good"]


@dataclass(frozen=True)
class FlowOfLayer:
    """``‖∂L/∂s_t‖`` of one state at the steps of a `Flow`.

    Over rows: the median, and what 10 % of them lie below and above.
    """

    layer: int
    direction: int
    state: str
    median: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class Flow:
    """How much of the error of all answers reaches each step."""

    steps: list[int]
    layers: list[FlowOfLayer]


@dataclass(frozen=True)
class LagsOfLayer:
    """Mean ``‖∂L_t/∂s_{t−k}‖`` by lag, and by sampled step and lag."""

    layer: int
    direction: int
    state: str
    norms: list[float]
    by_step: list[list[float]]


@dataclass(frozen=True)
class Lags:
    """How much of the error of some steps reaches the states before them.

    A sampled step of −1 is the last one of each sequence.
    """

    sampled: list[int]
    lags: list[int]
    layers: list[LagsOfLayer]


@dataclass(frozen=True)
class Saturation:
    """The share of a node's units that are saturated, in all and by step."""

    layer: int
    direction: int
    node: str
    function: str
    share: float
    by_step: list[float]


@dataclass(frozen=True)
class Dead:
    """How many units of a ReLU are 0 at all steps of all sequences."""

    layer: int
    direction: int
    node: str
    units: int
    dead: int


@dataclass(frozen=True)
class UpdateRatio:
    """``‖Δw‖ / ‖w‖`` of an update."""

    parameter: str
    ratio: float


@dataclass(frozen=True)
class Horizon:
    """The lag at which a gradient falls below a share of that at lag 0.

    None: beyond the last lag that was measured.
    """

    layer: int
    direction: int
    state: str
    horizon: float | None
    threshold: float


@dataclass(frozen=True)
class Memory:
    """How far error reaches, how far answers look back, how far training lets it flow.

    `needed` is None where that is not known, as `reason` says, or more than was tried.
    `how` says that history is cut.
    """

    layers: list[Horizon]
    needed: int | None
    curve: list[dict[str, float]]
    full_loss: float | None
    how: str
    window: int | None
    verdict: str
    reason: str | None = None


@dataclass(frozen=True)
class Finding:
    """A verdict in a sentence, with a remedy that is one flag, if there is one."""

    kind: str
    severity: Severity
    where: str
    sentence: str
    remedy: str | None = None
    measured: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Diagnosis:
    """Why a network does, or does not, learn.

    A part is None where it was not asked for or does not apply.

    Parameters
    ----------
    data
        What was looked at: ``part``, ``sequences``, ``steps``, ``per``.
    seconds
        What each part cost.
    flow, lags, saturation, dead, updates, memory
        What was measured of the recurrent layers.
    spectrum, fixed_points, surface
        Of their dynamics, and of the loss around the weights.
    findings
        What it means, the most urgent first.
    """

    data: dict[str, Any]
    seconds: dict[str, float]
    flow: Flow | None = None
    lags: Lags | None = None
    saturation: list[Saturation] | None = None
    dead: list[Dead] | None = None
    updates: list[UpdateRatio] | None = None
    memory: Memory | None = None
    spectrum: list[dict[str, Any]] | None = None
    fixed_points: list[dict[str, Any]] | None = None
    surface: dict[str, Any] | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def alarms(self) -> list[Finding]:
        """What keeps it from learning."""
        return [one for one in self.findings if one.severity == "alarm"]

    @property
    def verdict(self) -> Finding:
        """The most urgent finding."""
        return self.findings[0]

    def to_json(self) -> dict[str, Any]:
        """Say it as JSON can hold it: a number that is not finite is null."""
        return {"version": VERSION, **_finite(asdict(self))}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; null numbers stay None."""
        parts: dict[str, Any] = {k: v for k, v in stored.items() if k != "version"}
        for name, kind in _LISTS.items():
            if parts.get(name) is not None:
                parts[name] = [kind(**one) for one in parts[name]]
        for name, (kind, inner) in _LAYERED.items():
            if parts.get(name) is not None:
                layers = [inner(**one) for one in parts[name]["layers"]]
                parts[name] = kind(**{**parts[name], "layers": layers})
        return cls(**parts)


_LISTS: dict[str, Any] = {
    "saturation": Saturation,
    "dead": Dead,
    "updates": UpdateRatio,
    "findings": Finding,
}
_LAYERED: dict[str, Any] = {
    "flow": (Flow, FlowOfLayer),
    "lags": (Lags, LagsOfLayer),
    "memory": (Memory, Horizon),
}


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
