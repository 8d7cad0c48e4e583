"""Which sums over columns are taken beside a product that reads the same columns."""

from dataclasses import replace

from throughtime.graph.programs import Contraction, Span


def is_sum(contraction: Contraction) -> bool:
    """Whether columns are added up, one by one."""
    return contraction.right is None or contraction.unitwise


def is_shifted(contraction: Contraction) -> bool:
    """Whether one side is read at the step before."""
    sides = contraction.left, contraction.right
    return any(side is not None and side.state is not None for side in sides)


def turned(sum_: Contraction, product: Contraction) -> tuple[Contraction, ...]:
    """A sum that can be taken beside a product, so that both have one left side.

    Nothing if it cannot.
    """
    if sum_.right is None:
        ways = [sum_]
    else:
        ways = [sum_, replace(sum_, left=sum_.right, right=sum_.left)]
    same = sum_.right is None or is_shifted(sum_) == is_shifted(product)
    fitting = [
        way
        for way in ways
        if way.left.state == product.left.state
        and _within(way.left.span, product.left.span)
    ]
    return tuple(fitting[:1]) if same else ()


def _within(part: Span, whole: Span) -> bool:
    """Whether columns are among others."""
    return (
        part.buffer == whole.buffer
        and whole.start <= part.start
        and part.start + part.size <= whole.start + whole.size
    )
