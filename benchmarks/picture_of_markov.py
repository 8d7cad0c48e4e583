"""Pictures of Markov chains beside recurrent networks."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from throughtime.bench.lagged_source import (
    LEARNED,
    LaggedSource,
    Outcome,
    memory_capacity,
)
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
Course = Mapping[int, Sequence[float]]
Learned = Mapping[int | str, Course]


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


def draw_lags(learned: Learned) -> Figure:
    """Draw what share is learned at each lag, chains beside networks.

    Less than none, from a chain that has too many contexts to count, is drawn as none.

    Parameters
    ----------
    learned
        Of each model, by lag, the successes by seed.
    """
    contexts = sorted(k for k in learned if isinstance(k, int))
    chains = {k: learned[k] for k in contexts}
    networks = {k: one for k, one in learned.items() if isinstance(k, str)}
    lags = sorted({lag for one in learned.values() for lag in one})
    shown = [lag for lag in lags if lag not in CROWDED]
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 4), layout="constrained")
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes in (left, right):
            axes.axhline(LEARNED, color=FLOOR, linewidth=1, linestyle=(0, (2, 2)))
        _chains(left, chains)
        _networks(right, networks)
        left.set_title("Markov chains, by their symbols of context", loc="left")
        right.set_title("Recurrent networks", loc="left")
        left.set_ylabel("share learned of what can be")
        left.yaxis.set_major_formatter(PercentFormatter(1))
        for axes in (left, right):
            axes.set_xscale("log", base=2)
            axes.set_xticks(shown, [str(lag) for lag in shown])
            axes.minorticks_off()
            axes.set_xlabel("lag L of the dependency")
            axes.set_ylim(-0.05, 1.12)
    return figure


def _chains(axes: Axes, chains: Mapping[int, Course]) -> None:
    """Write those that end at the same lag in one place."""
    ends: dict[int, list[int]] = {}
    for context, one in chains.items():
        _course(axes, one, CHAIN)
        ends.setdefault(_reach(one), []).append(context)
    for lag, contexts in ends.items():
        if lag:
            words = ", ".join(map(str, contexts))
            # Several would touch their neighbour's on the left.
            side = "center" if len(contexts) == 1 else "left"
            axes.text(lag, 1.03, words, ha=side, va="bottom", color=CHAIN)


def _networks(axes: Axes, networks: Mapping[str, Course]) -> None:
    for place, (cell, colour) in enumerate(NETWORKS.items()):
        if cell in networks:
            _course(axes, networks[cell], colour)
            words = f"{NAMES[cell]}: up to lag {_reach(networks[cell])}"
            at = 0.04, 0.39 - 0.09 * place
            axes.text(*at, words, transform=axes.transAxes, color=colour)


def _reach(one: Course) -> int:
    return memory_capacity({lag: mean(each) for lag, each in one.items()})


def _course(axes: Axes, one: Course, colour: str) -> None:
    lags = sorted(one)
    low, middle, high = (
        [max(0.0, pick(one[lag])) for lag in lags] for pick in (min, mean, max)
    )
    axes.plot(lags, middle, "o-", color=colour, markersize=4)
    axes.fill_between(lags, low, high, color=colour, alpha=0.15, linewidth=0)
