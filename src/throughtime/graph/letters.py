"""What parameters are called in print, and sums of them that get one letter."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from throughtime.graph.expressions import Expression, Span, parameter, total

LETTERS = {"weight": "W", "bias": "b", "peephole": "p"}


@dataclass(frozen=True, slots=True)
class Merged:
    """A letter for parameters that occur only as a sum."""

    letter: str
    members: tuple[str, ...]

    def line(self) -> str:
        return f"{self.letter} = {' + '.join(self.members)}"


def letters(names: Sequence[str]) -> dict[str, str]:
    """``W_ih`` for ``weight_ih``; a name stays where its letter is another's name."""
    short: dict[str, str] = {}
    for name in names:
        first, _, rest = name.partition("_")
        letter = LETTERS.get(first, first) + (f"_{rest}" if rest else "")
        short[name] = name if letter in names else letter
    return short


def merge(
    expressions: Sequence[Expression],
) -> tuple[list[Expression], tuple[Merged, ...]]:
    """The expressions with one letter for parameters that occur only as a sum."""
    groups: dict[str, set[tuple[str, ...]]] = {}
    for expression in expressions:
        for group in _groups(expression):
            for name in group:
                groups.setdefault(name, set()).add(group)
    found: list[Merged] = []
    for found_groups in groups.values():
        group = next(iter(found_groups))
        together = all(groups[name] == {group} for name in group)
        if len(group) > 1 and together and all(m.members != group for m in found):
            taken = {*groups, *(merged.letter for merged in found)}
            found.append(Merged(_common_letter(group, taken), group))
    if not found:
        return list(expressions), ()
    return [_with_letters(e, found) for e in expressions], tuple(found)


def _common_letter(group: Sequence[str], taken: Iterable[str]) -> str:
    stems = {name.partition("_")[0] for name in group}
    letter = stems.pop() if len(stems) == 1 else "s"
    while letter in taken:
        letter += "′"
    return letter


def _is_letter(expression: Expression) -> bool:
    return expression.head == "symbol" and expression.shift is None


def _summands(parts: Sequence[Expression]) -> dict[Span | None, list[str]]:
    """Letters of a sum by the range they are taken of."""
    found: dict[Span | None, list[str]] = {}
    for part in parts:
        if _is_letter(part):
            found.setdefault(part.span, []).append(part.name)
    return found


def _groups(expression: Expression) -> Iterator[tuple[str, ...]]:
    if _is_letter(expression):
        yield (expression.name,)
        return
    parts = expression.parts
    if expression.head == "sum":
        yield from (tuple(group) for group in _summands(parts).values())
        parts = tuple(part for part in parts if not _is_letter(part))
    for part in parts:
        yield from _groups(part)


def _with_letters(expression: Expression, merged: Sequence[Merged]) -> Expression:
    parts = tuple(_with_letters(part, merged) for part in expression.parts)
    changed = replace(expression, parts=parts)
    if expression.head != "sum":
        return changed
    for span, names in _summands(parts).items():
        for one in merged:
            if tuple(names) == one.members:
                others = [p for p in parts if not (_is_letter(p) and p.span == span)]
                letter = replace(parameter(one.letter), span=span)
                parts = total(*others, letter).parts or (letter,)
    return parts[0] if len(parts) == 1 else replace(expression, parts=parts)
