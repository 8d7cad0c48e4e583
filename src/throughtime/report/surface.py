"""The loss surface: along a line, in a plane, and what kind of point was reached."""

from collections.abc import Iterator

import altair as alt

from throughtime.report.figures import (
    HEAT,
    SERIES,
    Figure,
    figure,
    layered,
    plot,
    rule,
    span,
    tooltip,
    written,
)
from throughtime.report.reading import Row, RunFolder


def surface(run: RunFolder) -> Iterator[Figure]:
    """Draw the loss around the weights, as far as it was looked at."""
    found = run.part("surface")
    if found is None:
        return
    yield _point(found)
    if found.get("line"):
        yield _line(found["line"])
    if found.get("slice"):
        yield _slice(found["slice"])


def _point(found: Row) -> Figure:
    rows = {
        "norm of the gradient": found["gradient_norm"],
        "largest eigenvalue of the Hessian": found["largest"],
        "smallest eigenvalue of the Hessian": found["smallest"],
        "share of directions in which the loss falls": found["index"],
    }
    return figure(
        "Where the weights lie", _place(found), None, ("measure", "value"), rows.items()
    )


def _place(found: Row) -> str:
    """Say what kind of place it is, in words that agree with its numbers."""
    kind, smallest = found["verdict"], found["smallest"]
    falls = f"the loss falls in {_share(found['index'])} of directions"
    if kind == "saddle":
        return f"On a saddle: {falls}."
    if kind == "plateau":
        return "On a plateau: the loss is flat in all directions."
    if kind == "slope":
        return "On a slope: the gradient is not small yet."
    if smallest >= 0:
        return "On a minimum: the loss rises in every direction that is not flat."
    return (
        f"Flat, nearly a minimum: {falls}, by little (the smallest eigenvalue is "
        f"{written(smallest)}, the largest {written(found['largest'])})."
    )


def _share(index: float) -> str:
    return f"{100 * index:.2g} %"


def _line(line: Row) -> Figure:
    pairs = zip(line["positions"], line["losses"], strict=True)
    data = [{"position": position, "loss": loss} for position, loss in pairs]
    chart = (
        plot(data)
        .mark_line(point={"size": 30, "color": SERIES[0]}, color=SERIES[0])
        .encode(
            x=alt.X("position:Q").title("0: first weights, 1: trained weights"),
            y=alt.Y("loss:Q").title("loss").scale(span(line["losses"])),
            tooltip=tooltip(("position:Q", "position"), ("loss:Q", "loss")),
        )
    )
    barrier = line.get("barrier")
    says = "The loss on the straight line from the first weights through the trained."
    if barrier is not None:
        says += (
            f" On the way it rises by {written(float(barrier))} above both ends."
            if barrier > 0
            else " No barrier lies between them."
        )
    ends = (rule(0, "first", across=False), rule(1, "trained", across=False))
    drawn = layered(chart, *ends)
    return figure(
        "Loss from the first to the trained weights",
        says,
        drawn,
        ("position", "loss"),
        (row.values() for row in data),
    )


def _slice(plane: Row) -> Figure:
    data = [
        {"first": first, "second": second, "loss": loss}
        for first, losses in zip(plane["first"], plane["losses"], strict=True)
        for second, loss in zip(plane["second"], losses, strict=True)
    ]
    axis = {"labelOverlap": True, "labelSeparation": 6, "format": ".2~f"}
    chart = (
        plot(data)
        .mark_rect()
        .encode(
            x=alt.X("first:O")
            .title("along one random direction")
            .axis(labelAngle=0, **axis),
            y=alt.Y("second:O").title("along another").sort("descending").axis(**axis),
            color=alt.Color("loss:Q")
            .scale(scheme=HEAT, reverse=True)
            .legend(alt.Legend(title="loss", gradientLength=160)),
            tooltip=tooltip(
                ("first:Q", "first direction"),
                ("second:Q", "second direction"),
                ("loss:Q", "loss"),
            ),
        )
    )
    return figure(
        "A plane through the trained weights",
        "The loss along two random directions, scaled as the weights are; the trained "
        "weights lie in the middle.",
        chart,
        ("first \\ second", *(f"{second:.3g}" for second in plane["second"])),
        (
            (f"{first:.3g}", *losses)
            for first, losses in zip(plane["first"], plane["losses"], strict=True)
        ),
        height=300,
    )
