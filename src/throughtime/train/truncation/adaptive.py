"""As many steps of credit as keep the gradient's relative bias below a bound."""

from collections.abc import Mapping
from typing import Any, Final

from torch import Tensor

from throughtime.errors import BadTruncation, WindowNotRun
from throughtime.nn import CarriedState
from throughtime.nn.layers import Layers
from throughtime.train.truncation.bias import lag_gradients, relative_bias, steps_needed
from throughtime.train.truncation.stream import Truncation, check_steps
from throughtime.train.truncation.window import Window

# Of the lags that are measured: beyond, error is taken to decay geometrically.
TAU = 0.8
#: The most steps of credit, where nothing else is said.
LONGEST: Final = 100


class AdaptiveTruncation(Truncation):
    """Adaptively truncated backpropagation (Aicher, Foti & Fox 2019).

    Now and then a window of `longest` steps is run step by step, and how the error of
    its last losses decays with the lag is looked at; from that follows k, the fewest
    steps of credit with a relative bias of at most `bias`. Until the next time windows
    are TBPTT(k, 2k − 1), which gives every loss at least k steps. What was measured
    last stands in `norms` (φ of the lags 1, 2, …) and `k`.

    `Window.mean` or `Window.sum` has to be called on every window, with losses that
    share no term: there gradients are looked at.

    Parameters
    ----------
    module, state
        As in `Truncation`.
    bias
        δ, above 0.
    shortest, longest
        The least and the most steps of credit.
    period
        Steps of the stream from one measurement to the next.
    samples
        How many of the last losses of a window are looked at, in every row.
    """

    def __init__(
        self,
        module: Layers,
        bias: float = 0.5,
        *,
        shortest: int = 2,
        longest: int = LONGEST,
        period: int = 2000,
        samples: int = 4,
        state: CarriedState | None = None,
    ) -> None:
        super().__init__(module, state)
        if not bias > 0:
            raise BadTruncation(
                argument="bias",
                given=bias,
                expected="a number above 0",
                advice="give the relative bias that you allow, such as 0.5",
            )
        self.bias = bias
        self.shortest = check_steps("shortest", shortest, 1, "give more steps")
        self.samples = check_steps("samples", samples, 1, "look at one loss at least")
        least = max(shortest, samples + 2)
        advice = "give at least `shortest`, and some lags more than `samples`"
        self.longest = check_steps("longest", longest, least, advice)
        self.period = check_steps("period", period, 1, "give more steps")
        self.k = self.longest
        self.norms: Tensor | None = None
        self._behind = self.period
        self._measures = False

    @property
    def chosen(self) -> str:
        """The truncation of the windows until the next measurement, by its name."""
        return f"{self.k}:{2 * self.k - 1}"

    def state_dict(self) -> dict[str, Any]:
        kept = super().state_dict()
        known = None if self.norms is None else self.norms.clone()
        return kept | {"k": self.k, "norms": known, "behind": self._behind}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.k, self.norms = state["k"], state["norms"]
        self._behind = state["behind"]

    def _want(self) -> int:
        return self.longest if self._behind >= self.period else self.k

    def _edges(self, steps: int, following: int) -> Mapping[int, float]:
        self._measures = self._behind >= self.period
        if self._measures:
            return dict.fromkeys(range(1, steps), 1.0)
        return {steps - self._kept(following): 1.0}

    def _kept(self, following: int) -> int:
        return self.k - 1

    def _window(self, newest: int) -> Window:
        window = super()._window(newest)
        if self._measures:
            window.look = self._measure
        return window

    def _measure(self, window: Window, losses: Tensor) -> None:
        """Choose k by how the error of these losses decays."""
        found = lag_gradients(window, losses, self.samples)
        if len(found.norms) > 1:
            self.norms = found.norms
            tau = max(2, int(TAU * len(found.norms)))
            bias = relative_bias(found.norms, found.cumulative, tau)
            needed = steps_needed(bias, self.bias, self.longest)
            self.k = max(needed, self.shortest)
        self._behind, self._measures, window.look = 0, False, None

    def _settle(self) -> None:
        if self._open is not None:
            if self._measures:
                raise WindowNotRun(
                    missing="its losses being seen",
                    advice="call mean() or sum() on the losses of each window",
                )
            self._behind += self._open.steps
        super()._settle()
