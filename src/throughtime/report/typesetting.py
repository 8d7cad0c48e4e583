"""Equations as MathML, from the lines that `explain` prints."""

import re
from collections.abc import Iterator
from html import escape
from typing import Final

from throughtime.graph import StepGraph
from throughtime.graph.show import Equations, equations

# `W_hh`, `δa_{t+1}`, `tanh#1`, `b′`: a name, and of which step it is. Behind `∂L/∂` it
# is the lower half of a fraction. Superscripts are letters to `re`, not to us.
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
    | (?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)
    | (?P<below>∂L/∂)?
      (?P<name>(?:(?![ᵀ²³\d_])\w)(?:(?![ᵀ²³]|_\{)[\w′\#])*)
      (?P<step>_\{t[^}]*\})?
    | (?P<sign>.)""",
    re.VERBOSE,
)
_RAISED: Final = {"ᵀ": "<mi>T</mi>", "²": "<mn>2</mn>", "³": "<mn>3</mn>"}
_OPENING: Final = "([|"
_BRACKETS: Final = "()[]|"
_INFIX: Final = "=+−⊙·/<>≤≥≠"
_THIN: Final = '<mspace width="0.2em"/>'
_WORDS_BEHIND: Final = " at each sequence's first step"


def equations_of(graph: StepGraph) -> Equations:
    """Equations, δ equations and gradients of one layer, line by line."""
    return equations(graph)


def typeset(line: str) -> str:
    """One equation as a MathML formula.

    Examples
    --------
    >>> typeset("y_t = x²")[26:]
    '<msub><mi>y</mi><mi>t</mi></msub><mo>=</mo><msup><mi>x</mi><mn>2</mn></msup></math>'
    """
    formula = line.removesuffix(_WORDS_BEHIND)
    words = f"<mtext>{escape(line[len(formula) :], quote=False)}</mtext>"
    behind = words if formula != line else ""
    return f'<math displaystyle="true">{"".join(_pieces(formula))}{behind}</math>'


def _pieces(line: str) -> Iterator[str]:
    """Read from left to right; what is raised belongs to the piece before it."""
    held, spaced, last = "", False, ""
    for match in _TOKEN.finditer(line):
        token = match[0]
        if match["space"]:
            spaced = True
            continue
        if token in _RAISED:
            held = f"<msup>{held}{_RAISED[token]}</msup>"
            last = token
            continue
        yield held
        # Two factors stand beside each other; signs bring their own room.
        if spaced and token not in _INFIX and last not in _INFIX:
            yield _THIN
        first = last in _INFIX or last in _OPENING
        held, spaced, last = _piece(match, first), False, token
    yield held


def _piece(match: re.Match[str], first: bool) -> str:
    if match["number"]:
        return f"<mn>{match['number']}</mn>"
    if match["name"]:
        name = _name(match["name"], match["step"])
        if not match["below"]:
            return name
        above = "<mrow><mo>∂</mo><mi>L</mi></mrow>"
        return f"<mfrac>{above}<mrow><mo>∂</mo>{name}</mrow></mfrac>"
    sign = match["sign"]
    form = ' form="prefix"' if first and sign == "−" else ""
    size = ' stretchy="false"' if sign in _BRACKETS else ""
    return f"<mo{form}{size}>{escape(sign)}</mo>"


def _name(name: str, step: str | None) -> str:
    """A letter with what stands below it: `W_hh`, `h_t`, `h_{t−1}`."""
    below: list[str] = []
    if step is not None:
        below = [_step(step[2:-1])]
    elif name.endswith("_t"):
        name, below = name.removesuffix("_t"), ["<mi>t</mi>"]
    if name == "Σ":
        return f"<munder><mo>Σ</mo>{below[0]}</munder>" if below else "<mo>Σ</mo>"
    letter, _, rest = name.partition("_")
    if rest:
        below.insert(0, f"<mi>{escape(rest)}</mi>")
    base = f"<mi>{escape(letter)}</mi>"
    if letter.startswith("δ") and len(letter) > 1:
        base = f"<mrow><mi>δ</mi><mi>{escape(letter[1:])}</mi></mrow>"
    if not below:
        return base
    inner = below[0] if len(below) == 1 else f"<mrow>{_THIN.join(below)}</mrow>"
    return f"<msub>{base}{inner}</msub>"


def _step(text: str) -> str:
    """`t−1` below a letter."""
    return f"<mrow><mi>t</mi><mo>{text[1]}</mo><mn>{text[2:]}</mn></mrow>"
