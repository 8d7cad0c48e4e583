"""What the numbers of a diagnosis mean: verdicts in sentences, each with a remedy."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import groupby

from throughtime.diagnose.course import Course
from throughtime.diagnose.diagnosis import Diagnosis, Finding, Horizon
from throughtime.diagnose.thresholds import (
    DEAD,
    EXPLODED,
    GROWTH,
    MOST_SATURATED,
    OVERFITS,
    SHORT,
)

Rule = Callable[[Diagnosis, Course], Finding | None]


def find(diagnosis: Diagnosis, course: Course) -> list[Finding]:
    """Say what a diagnosis means, the most urgent first.

    Of several alarms the first is the cause, or has to be mended first: those behind
    it are notes. Where there is no alarm, the first finding says so.

    Parameters
    ----------
    diagnosis
        The measured parts.
    course
        What is known of the training.
    """
    made = (rule(diagnosis, course) for rule in _RULES)
    found = [one for one in made if one is not None]
    alarms = [one for one in found if one.severity == "alarm"]
    # What did not learn for a reason needs no remedy beside that for the reason.
    later = [
        replace(
            one,
            severity="note",
            remedy=None if one.kind == "did not learn" else one.remedy,
        )
        for one in alarms[1:]
    ]
    notes = [one for one in found if one.severity == "note"]
    if alarms:
        return [alarms[0], *later, *notes]
    return [_healthy(course), *notes]


def _exploding(diagnosis: Diagnosis, course: Course) -> Finding | None:
    """Gradients far larger than weights, or ever larger on their way back."""
    largest, growth = course.largest_gradient or 0.0, _growth(diagnosis)
    diverged, clipped = course.stopped == "diverged", course.clip > 0
    if not (diverged or largest > EXPLODED or growth > GROWTH):
        return None
    if course.learned and not diverged:
        if not clipped or largest <= EXPLODED:
            return None
        sentence = (
            f"Gradients explode, up to a norm of {_plain(largest)}, and are held by "
            f"clipping: in {course.clip_rate:.0%} of an epoch's updates at most."
        )
        return Finding("clipped", "note", "training", sentence)
    if clipped and not diverged and growth <= GROWTH:
        return None  # no update was large: something else is to blame
    what = []
    if diverged:
        what.append("the training came to numbers that are not finite")
    if largest > EXPLODED:
        what.append(f"the gradient of an update had a norm of {largest:.2g}")
    if growth > GROWTH:
        what.append(f"error grows {growth:.2g} times on its way back through time")
    remedy = "--clip 1"
    if clipped:
        remedy = f"--learning-rate {_rate(course)}"
    return Finding(
        "exploding",
        "alarm",
        "training" if growth <= GROWTH else "recurrent weights",
        f"Gradients explode: {_listed(what)}. One such update throws the weights away.",
        remedy,
        {"largest_gradient": largest, "growth": growth},
    )


def _growth(diagnosis: Diagnosis) -> float:
    """How many times larger error is at some lag than at lag 0, at most."""
    if diagnosis.lags is None:
        return 0.0
    found = [0.0]
    for layer in diagnosis.lags.layers:
        known = [one for one in layer.norms if math.isfinite(one)]
        if known and known[0] > 0:
            found.append(max(known) / known[0])
    return max(found)


def _saturated(diagnosis: Diagnosis, course: Course) -> Finding | None:
    """Gates and activations whose derivatives are nearly 0."""
    nodes = diagnosis.saturation or []
    worst, share = None, 0.0
    for place, group in groupby(nodes, lambda one: (one.layer, one.direction)):
        own = [one.share for one in group if math.isfinite(one.share)]
        if own and sum(own) / len(own) > share:
            worst, share = place, sum(own) / len(own)
    if worst is None or share < MOST_SATURATED:
        return None
    sentence = (
        f"{share:.0%} of the sigmoids and tanhs of {_where(*worst)} are saturated: "
        "their derivatives are nearly 0, "
    )
    measured: dict[str, float | None] = {"share": share}
    where = _where(*worst)
    if course.learned:
        sentence += "yet it learned."
        return Finding("saturated", "note", where, sentence, None, measured)
    sentence += "and error does not get through them."
    remedy = f"--learning-rate {_rate(course)}"
    return Finding("saturated", "alarm", where, sentence, remedy, measured)


def _dead(diagnosis: Diagnosis, course: Course) -> Finding | None:
    """Units of a ReLU that are 0 whatever is read."""
    worst = max(
        diagnosis.dead or [], key=lambda one: one.dead / one.units, default=None
    )
    if worst is None or worst.dead < DEAD * worst.units:
        return None
    where = f"{_where(worst.layer, worst.direction)}, {worst.node}"
    return Finding(
        "dead",
        "note" if course.learned else "alarm",
        where,
        f"{worst.dead} of {worst.units} units of {where} are 0 at every step of every "
        "sequence: no error reaches their weights any more.",
        f"--learning-rate {_rate(course)}",
        {"units": worst.units, "dead": worst.dead},
    )


def _vanishing(diagnosis: Diagnosis, course: Course) -> Finding | None:
    """Error that reaches a small part of what was read, and nothing was learned."""
    if course.learned or diagnosis.memory is None or diagnosis.lags is None:
        return None
    best, longest = furthest(diagnosis.memory.layers), max(diagnosis.lags.lags)
    if best is None or best.horizon is None or best.horizon >= SHORT * longest:
        return None
    return Finding(
        "vanishing",
        "alarm",
        f"{_where(best.layer, best.direction)}, {best.state}",
        f"Gradients vanish: {best.horizon:.0f} steps back less than "
        f"{best.threshold:.0%} of the error is left, of {longest} steps that there "
        "are. What lies further back cannot be learned.",
        _longer_memory(course),
        {"horizon": best.horizon, "longest": longest},
    )


def furthest(layers: Iterable[Horizon]) -> Horizon | None:
    """The state through which error reaches furthest; None: there is none."""
    return max(
        layers,
        key=lambda one: math.inf if one.horizon is None else one.horizon,
        default=None,
    )


def _longer_memory(course: Course) -> str:
    if course.forgets:
        return "--flossing 100" if course.init == "chrono" else "--init chrono"
    return "--cell lstm" if course.init == "orthogonal" else "--init orthogonal"


def _flat(diagnosis: Diagnosis, course: Course) -> Finding | None:
    """A surface without a way down, and nothing was learned."""
    verdict = (diagnosis.surface or {}).get("verdict")
    if course.learned or verdict not in ("plateau", "saddle"):
        return None
    said = "a plateau" if verdict == "plateau" else "a saddle point"
    return Finding(
        "plateau",
        "alarm",
        "loss surface",
        f"The weights lie on {said} of the loss, and nothing was learned. Another "
        "start may lead elsewhere.",
        "--restarts 5",
    )


def _unlearned(diagnosis: Diagnosis, course: Course) -> Finding | None:
    """No better than one constant answer."""
    if course.learned:
        return None
    losses = course.validation
    sentence = (
        f"It did not learn: its loss is {course.loss:.4g}, that of the best constant "
        f"answer {course.constant:.4g}."
    )
    falling = len(losses) > 1 and course.best_epoch == course.epochs
    apart = max(course.learning_rate, course.usual_rate) / min(
        course.learning_rate, course.usual_rate
    )
    if course.best_epoch == 0:
        sentence, remedy = "It is untrained: no epoch was finished.", None
    elif apart > 3:
        remedy = f"--learning-rate {course.usual_rate:g}"
    elif falling:
        sentence += " The loss still falls."
        remedy = f"--epochs {3 * course.epochs}"
    else:
        remedy = "--restarts 5"
    measured: dict[str, float | None] = {
        "loss": course.loss,
        "constant": course.constant,
    }
    return Finding("did not learn", "alarm", "training", sentence, remedy, measured)


def _window(diagnosis: Diagnosis, course: Course) -> Finding | None:
    """Error that flows less far back than answers look, or needlessly far."""
    memory = diagnosis.memory
    if memory is None or memory.window is None:
        return None
    window, needed = memory.window, memory.needed
    used = "more than was tried" if needed is None else f"{needed} steps"
    measured = {"window": float(window), "needed": needed}
    if memory.verdict == "too short":
        return Finding(
            "window too short",
            "note",
            "training",
            f"Answers look back {used}, and error flows back over {window}: a longer "
            "window may find more.",
            _windows(course, window, 2 * window),
            measured,
        )
    if memory.verdict == "wasteful":
        enough = max(16, 2 * ((needed or 0) + 1))
        return Finding(
            "window wasteful",
            "note",
            "training",
            f"Answers look back {used}, and error flows back over {window}: a shorter "
            "window costs less memory, and changes the weights more often.",
            _windows(course, enough, enough),
            measured,
        )
    return None


def _windows(course: Course, new: int, back: int) -> str:
    """Ask for windows of some new steps whose error flows back over more."""
    if course.window_option == "--steps":
        return f"--steps {back}"
    return f"--tbptt {new}" if new == back else f"--tbptt {new}:{back}"


def _overfits(diagnosis: Diagnosis, course: Course) -> Finding | None:
    """A validation loss that rises while the training loss falls."""
    losses, after = course.losses, course.validation
    if not after or course.best_epoch == 0:
        return None
    best = min(range(len(after)), key=after.__getitem__)
    if after[-1] < OVERFITS * after[best] or losses[-1] >= losses[best]:
        return None
    return Finding(
        "overfits",
        "note",
        "training",
        f"It overfits: the validation loss rose from {after[best]:.4g} to "
        f"{after[-1]:.4g} while the training loss fell on; the weights of epoch "
        f"{course.best_epoch} were kept.",
        "--variational-dropout 0.2",
        {"best": after[best], "last": after[-1]},
    )


_RULES: tuple[Rule, ...] = (
    _exploding,
    _saturated,
    _dead,
    _vanishing,
    _flat,
    _unlearned,
    _window,
    _overfits,
)


def _healthy(course: Course) -> Finding:
    return Finding(
        "no alarm",
        "good",
        "training",
        f"No alarm: it learned, and saves {course.gain:.0%} of the loss of the best "
        "constant answer.",
        None,
        {"loss": course.loss, "constant": course.constant},
    )


def _rate(course: Course) -> str:
    """A smaller step width: the usual one, or a tenth of what it was."""
    smaller = course.learning_rate / 10
    usual = course.usual_rate
    return f"{usual if usual < course.learning_rate else smaller:g}"


def _where(layer: int, direction: int) -> str:
    return f"layer {layer}{', reverse' if direction else ''}"


def _plain(value: float) -> str:
    """Two digits, without a power of ten where that is no longer: `200`."""
    return f"{float(f'{value:.2g}'):g}"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
