"""In sentences: how far back a network looks, and how far its gradient reaches."""

from collections.abc import Iterator
from typing import Final

from throughtime.report.answers import Said, Tone
from throughtime.report.commands import diagnose
from throughtime.report.figures import count, named
from throughtime.report.reading import Row, RunFolder

# What a diagnosis says of the window over which error flows back.
_WINDOWS: Final[dict[str, tuple[Tone, str]]] = {
    "enough": ("good", "far enough"),
    "too short": ("alarm", "the window of its training is too short"),
    "wasteful": ("note", "the window of its training is longer than needed"),
    "unknown": ("unknown", "not clear"),
}


def remembers(run: RunFolder) -> Said:
    """Say how far back a network looks."""
    found = run.part("memory")
    if found is None:
        sentence = "It was not measured for this run."
        if run.diagnosis is not None:
            sentence = "The diagnosis of this run says nothing of its memory."
        return Said("unknown", "Not measured", sentence, diagnose(run))
    tone, word = _WINDOWS[found["verdict"]]
    if uses_none(found):
        tone, word = "unknown", "Cannot be told"
    elif found["needed"] is not None:
        word = f"{count(found['needed'], 'step')}: {word}"
    elif found.get("curve"):
        word = f"More than was tried: {word}"
    else:
        tone, word = "unknown", _far(found)
    return Said(tone, word, " ".join(_reach(run, found)))


def reach(run: RunFolder) -> int | None:
    """Tell how many steps back the gradient is lost; None: not known, or never."""
    found = run.part("memory")
    return None if found is None else _longest(found)


def uses_none(found: Row) -> bool:
    """Whether a network did not learn, so that no history is of use to it."""
    return found["needed"] is None and "did not learn" in (found.get("reason") or "")


def _far(found: Row) -> str:
    if not found["layers"]:
        return "Not clear"
    longest = _longest(found)
    if longest is None:
        return "Its gradient reaches all lags"
    return f"Its gradient reaches {count(longest, 'step')}"


def _longest(found: Row) -> int | None:
    reached = [one["horizon"] for one in found["layers"]]
    return None if not reached or None in reached else round(max(reached))


def _reach(run: RunFolder, found: Row) -> Iterator[str]:
    needed = found["needed"]
    if uses_none(found):
        yield "This network uses no history: it did not learn."
    elif needed is None and found.get("reason"):
        yield f"How much history it uses was not measured: {found['reason']}."
    elif needed is None and found.get("curve"):
        yield "It uses more history than was tried."
    if found["layers"]:
        yield _gradient(run, found)
    elif needed is not None:
        yield f"It uses {_steps(run, needed)}."
    if found.get("window") is not None:
        yield f"Training lets error flow back {count(found['window'], 'step')}."


def _gradient(run: RunFolder, found: Row) -> str:
    """Say how far the gradient reaches, beside what is used where that is known."""
    needed, longest = found["needed"], _longest(found)
    farthest = max(found["layers"], key=_horizon)
    share = f"{100 * farthest['threshold']:g} %"
    where = f"({named(farthest)})"
    gradient = f"its gradient falls below {share} after {longest} {where}"
    if longest is None:
        gradient = f"its gradient stays above {share} at every lag looked at {where}"
    if needed is None:
        steps = (
            "" if longest is None else f" {'step' if longest == 1 else 'steps'} back"
        )
        plain = gradient.replace(f"after {longest}", f"{longest}{steps}")
        return f"{plain[0].upper()}{plain[1:]}."
    link = "; " if longest is None or longest >= needed else ", though "
    return f"It uses {_steps(run, needed)}{link}{gradient}."


def _steps(run: RunFolder, needed: int) -> str:
    """Say `all 200 steps` where there are no more before an answer."""
    data = run.part("data")
    # The last step looks back over one less.
    all_of_them = data is not None and needed >= data["steps"] - 1
    return f"{'all ' if all_of_them else ''}{count(needed, 'step')} of history"


def _horizon(layer: Row) -> float:
    return float("inf") if layer["horizon"] is None else layer["horizon"]
