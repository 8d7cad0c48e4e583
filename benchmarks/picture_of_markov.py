"""Pictures of Markov chains beside recurrent networks."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from throughtime.bench.lagged_source import LEARNED, LaggedSource, Outcome
from throughtime.train.showing.look import QUIET, STYLE

# Okabe and Ito's, which people tell apart who see fewer colours.
CHAIN, FLOOR = "#0072b2", "#9ca3af"
NETWORKS: Final = {"elman": "#009e73", "gru": "#d55e00", "lstm": "#cc79a7"}
NAMES: Final = {"elman": "Elman", "gru": "GRU", "lstm": "LSTM"}
CROWDED: Final = (5, 7)
"""Lags whose numbers would touch."""
FURTHER: Final = 5
"""Contexts that are counted by a formula, beyond the measured ones."""

Models = Mapping[int | str, Sequence[Outcome]]


def draw_floors(source: LaggedSource, outcomes: Models) -> Figure:
    """Draw bits by symbols of context, and what a model keeps for that.

    Parameters
    ----------
    source
        What was learned.
    outcomes
        Of chains by their context, and of networks by their cell; by seed.
    """
    chains = {k: one[0] for k, one in outcomes.items() if isinstance(k, int)}
    networks = {k: one for k, one in outcomes.items() if isinstance(k, str)}
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 4), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _bits(left, source, chains, networks)
        _numbers(right, source, chains, networks)
    return figure


def _bits(
    axes: Axes,
    source: LaggedSource,
    chains: Mapping[int, Outcome],
    networks: Mapping[str, Sequence[Outcome]],
) -> None:
    contexts = sorted(chains)
    edges = [contexts[0] - 0.4, source.lag - 0.5, contexts[-1] + 0.4]
    top, rate = source.floor(0), source.entropy_rate
    axes.stairs([top, rate], edges, baseline=None, color=FLOOR, linewidth=6, alpha=0.5)
    bits = [chains[k].bits for k in contexts]
    axes.plot(contexts, bits, "o", color=CHAIN, markersize=7)
    axes.text(0, top - 0.06, "Markov chains", color=CHAIN, va="top")
    words = "the floor $H_k$, in closed form"
    axes.text(source.lag - 0.4, (top + rate) / 2, words, color=QUIET)
    for cell, one in networks.items():
        reached = mean(outcome.bits for outcome in one)
        axes.axhline(reached, color=NETWORKS[cell], linestyle=(0, (5, 2)))
        words = f"{NAMES[cell]}: whatever came before"
        axes.text(0, reached + 0.03, words, color=NETWORKS[cell], va="bottom")
    axes.set_title(f"A dependency at lag {source.lag}: bits per symbol", loc="left")
    axes.set_xlabel("k, symbols of context")
    axes.set_xticks(contexts)
    axes.set_xlim(edges[0] - 0.1, edges[-1] + 1.1)
    axes.set_ylim(0.6, top + 0.15)


def _numbers(
    axes: Axes,
    source: LaggedSource,
    chains: Mapping[int, Outcome],
    networks: Mapping[str, Sequence[Outcome]],
) -> None:
    contexts = sorted(chains)
    more = range(contexts[-1] + FURTHER)
    axes.semilogy(
        more,
        [source.symbols ** (k + 1) for k in more],
        color=CHAIN,
        linestyle=(0, (1, 1.5)),
    )
    kept = [chains[k].numbers for k in contexts]
    axes.plot(contexts, kept, "o", color=CHAIN, markersize=7)
    axes.annotate(
        f"${source.symbols}^{{k+1}}$",
        (more[-2], source.symbols ** (more[-2] + 1)),
        xytext=(-6, 4),
        textcoords="offset points",
        ha="right",
        color=CHAIN,
    )
    axes.text(contexts[2] + 0.5, kept[2], "counts of a chain", color=CHAIN, va="top")
    for cell, one in networks.items():
        axes.axhline(one[0].numbers, color=NETWORKS[cell], linestyle=(0, (5, 2)))
        words = f"weights of the {NAMES[cell]}"
        at = one[0].numbers * 1.3
        axes.text(0, at, words, color=NETWORKS[cell], va="bottom")
    axes.set_title("Numbers that are kept", loc="left")
    axes.set_xlabel("k, symbols of context")
    axes.set_xticks(more[::2])


def draw_lags(learned: Mapping[int | str, Mapping[int, Sequence[float]]]) -> Figure:
    """Draw what share is learned at each lag, chains beside networks.

    Parameters
    ----------
    learned
        Of each model, by lag, the successes by seed.
    """
    chains = {k: one for k, one in learned.items() if isinstance(k, int)}
    networks = {k: one for k, one in learned.items() if isinstance(k, str)}
    lags = sorted({lag for one in learned.values() for lag in one})
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 4), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for context, one in sorted(chains.items()):
            _course(left, one, f"{context}", CHAIN)
        for cell, one in networks.items():
            _course(right, one, NAMES[cell], NETWORKS[cell])
        left.set_title("Markov chains, by their symbols of context", loc="left")
        right.set_title("Recurrent networks", loc="left")
        left.set_ylabel("share learned of what can be")
        left.yaxis.set_major_formatter(PercentFormatter(1))
        for axes in (left, right):
            axes.axhline(LEARNED, color=FLOOR, linewidth=1, linestyle=(0, (2, 2)))
            axes.set_xscale("log", base=2)
            shown = [lag for lag in lags if lag not in CROWDED]
            axes.set_xticks(shown, [str(lag) for lag in shown])
            axes.minorticks_off()
            axes.set_xlabel("lag L of the dependency")
            axes.set_ylim(-0.3, 1.12)
    return figure


def _course(
    axes: Axes,
    one: Mapping[int, Sequence[float]],
    words: str,
    colour: str,
) -> None:
    lags = sorted(one)
    middle = [mean(one[lag]) for lag in lags]
    axes.plot(lags, middle, "o-", color=colour, markersize=4)
    low, high = ([pick(one[lag]) for lag in lags] for pick in (min, max))
    axes.fill_between(lags, low, high, color=colour, alpha=0.15, linewidth=0)
    last = max((lag for lag in lags if mean(one[lag]) >= LEARNED), default=None)
    if last is not None:
        axes.annotate(
            words,
            (last, mean(one[last])),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            color=colour,
        )
