"""THE LAB: toy experiments whose results are known exactly.

A file each. An experiment is a function whose arguments are what can be varied; it
gives an object with a `title`, a `sentence` that says what it means, a `table`, a
picture and every number as JSON (`experiment`). What has a closed form is computed by
itself and measured by the engine that trains, in float64 (`measuring`).

`vanishing` (one unit), `carousel` (what an LSTM has instead), `bounds` (many units),
`saddle` (where Newton's method stays).
`EXPERIMENTS` has them by name; `throughtime lab NAME` runs one.

May import what `diagnose` may. Next: `bounds` of `diagnose`, for your own weights.
"""

from collections.abc import Callable

from throughtime.diagnose.lab.bounds import BoundedGradient, bounds
from throughtime.diagnose.lab.carousel import Carousel, ErrorCarousel, carousel
from throughtime.diagnose.lab.experiment import Experiment
from throughtime.diagnose.lab.saddle import Saddle, saddle
from throughtime.diagnose.lab.vanishing import VanishingGradient, vanishing

__all__ = [
    "EXPERIMENTS",
    "BoundedGradient",
    "Carousel",
    "ErrorCarousel",
    "Experiment",
    "Saddle",
    "VanishingGradient",
    "bounds",
    "carousel",
    "saddle",
    "vanishing",
]

EXPERIMENTS: dict[str, Callable[..., Experiment]] = {
    "vanishing": vanishing,
    "carousel": carousel,
    "bounds": bounds,
    "saddle": saddle,
}
"""By the name that the command line gives them."""
