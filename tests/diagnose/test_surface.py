"""Minimum, saddle, plateau, slope; lines and planes; and weights that come back."""

import json
import math

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import throughtime as tt
from tests.diagnose.networks import network, quadratic
from throughtime import errors
from throughtime.diagnose import loss_line, loss_slice, loss_surface
from throughtime.diagnose.lab.saddle import saddle
from throughtime.diagnose.slices import normalised_direction


@pytest.mark.parametrize(
    ("values", "shift", "verdict"),
    [
        ([1.0, 2.0, 3.0, 0.0], 0.0, "minimum"),
        ([1.0, 2.0, 3.0, -0.5], 0.0, "saddle"),
        ([1e-3, -2e-3, 0.0, 1e-3], 0.0, "plateau"),
        ([100.0, 5.0, 3.0, -0.02], 0.0, "minimum"),
        ([1.0, 2.0, 3.0, -0.5], 1.0, "slope"),
    ],
)
def test_verdicts_of_quadratics(
    values: list[float], shift: float, verdict: str
) -> None:
    parameters, loss = quadratic(values)
    with torch.no_grad():
        parameters["x"].mul_(1e-3).add_(shift)
    surface = loss_surface(loss, parameters, points=None)
    assert surface.verdict == verdict
    assert surface.largest == pytest.approx(max(values), abs=1e-9)
    assert surface.index.share == pytest.approx(sum(v < 0 for v in values) / 4)
    # What the loss is measured in does not matter.
    scaled = loss_surface(lambda: 1000 * loss(), parameters, points=None)
    assert scaled.verdict == verdict


def test_the_saddle_of_a_loss_of_0() -> None:
    point = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    surface = loss_surface(lambda: point[0] ** 2 - point[1] ** 2, {"point": point})
    assert (surface.verdict, surface.index.share) == ("saddle", 0.5)


def test_a_line_shows_its_barrier() -> None:
    """Between two minima of (x² − 1)² lies a hill of 1."""
    x = torch.ones(1, dtype=torch.float64, requires_grad=True)
    line = loss_line(
        lambda: torch.sum((x**2 - 1) ** 2), {"x": x}, {"x": -torch.ones(1)}
    )
    assert line.positions[0] == -0.5
    assert line.positions[-1] == 1.5
    expected = [((2 * a - 1) ** 2 - 1) ** 2 for a in line.positions]
    assert line.losses == pytest.approx(expected)
    assert line.barrier == pytest.approx(1.0)
    down = loss_line(lambda: (x**2).sum() - 2 * x.sum(), {"x": x}, {"x": 0 * x})
    assert down.barrier == 0.0


def test_a_line_may_lead_to_where_there_is_no_number() -> None:
    x = torch.full((1,), 0.5, dtype=torch.float64, requires_grad=True)
    line = loss_line(lambda: torch.sum(x.log()), {"x": x}, {"x": -x.detach()})
    assert math.isnan(line.barrier)
    stored = json.loads(json.dumps(line.to_json(), allow_nan=False))
    assert stored["barrier"] is None
    assert stored["losses"][0] is None


def test_a_plane_has_the_weights_in_its_middle() -> None:
    module, loss = network(tt.cells.Elman(), 3)
    plane = loss_slice(loss, module.named_parameters(), points=5, reach=0.5)
    assert plane.first == plane.second == [-0.5, -0.25, 0.0, 0.25, 0.5]
    assert [len(row) for row in plane.losses] == [5] * 5
    assert plane.losses[2][2] == pytest.approx(float(loss().detach()), rel=1e-14)
    assert plane == loss_slice(loss, module.named_parameters(), points=5, reach=0.5)
    other = loss_slice(loss, module.named_parameters(), points=5, reach=0.5, seed=1)
    assert plane.losses != other.losses


def test_a_direction_is_as_long_as_each_units_weights() -> None:
    draw = torch.Generator().manual_seed(0)
    matrix = torch.randn(4, 3, dtype=torch.float64)
    matrix[2] = 0
    bias, filters = torch.tensor([3.0, 4.0]), torch.ones(2, 3, 2)
    found = normalised_direction([matrix, bias, filters], draw)
    assert found[0].norm(dim=1).tolist() == pytest.approx(matrix.norm(dim=1).tolist())
    assert float(found[1].norm()) == pytest.approx(5.0)
    assert found[2].flatten(1).norm(dim=1).tolist() == pytest.approx([6**0.5] * 2)
    assert [one.dtype for one in found] == [torch.float64, *[torch.float32] * 2]


def test_the_json_is_what_a_report_reads() -> None:
    module, loss = network(tt.cells.Elman(), 3)
    start = {name: 0 * one.detach() for name, one in module.named_parameters()}
    surface = loss_surface(loss, module.named_parameters(), initial=start, points=3)
    stored = json.loads(json.dumps(surface.to_json(), allow_nan=False))
    assert stored.keys() >= {"gradient_norm", "largest", "smallest", "index", "verdict"}
    assert stored["line"].keys() == {"positions", "losses", "barrier"}
    assert stored["slice"].keys() == {"first", "second", "losses"}
    assert stored["index_how"] == "counted"
    alone = loss_surface(loss, module.named_parameters(), points=None).to_json()
    assert (alone["line"], alone["slice"]) == (None, None)
    assert alone["largest"] == stored["largest"]


def test_weights_come_back_after_all_and_after_an_error() -> None:
    module, loss = network(tt.cells.LSTM(), 3)
    before = {name: one.detach().clone() for name, one in module.named_parameters()}
    start = {name: 0 * one for name, one in before.items()}
    loss_surface(loss, module.named_parameters(), initial=start, points=3)
    calls = 0

    def failing() -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise OverflowError
        return loss()

    with pytest.raises(OverflowError):
        loss_line(failing, module.named_parameters(), start)
    calls = 0
    with pytest.raises(OverflowError):
        loss_slice(failing, module.named_parameters())
    for name, one in module.named_parameters():
        assert torch.equal(one, before[name])
        assert one.grad is None


def test_a_loss_that_draws_masks_is_refused() -> None:
    module, loss = network(tt.cells.Elman(), 3)
    noisy = lambda: nn.functional.dropout(loss(), 0.5)  # noqa: E731
    torch.manual_seed(0)
    with pytest.raises(errors.LossChanges, match=r"eval\(\)"):
        for _ in range(10):
            loss_surface(noisy, module.named_parameters(), points=None)


def test_weights_of_another_model_are_refused() -> None:
    module, loss = network(tt.cells.Elman(), 3)
    parameters = dict(module.named_parameters())
    with pytest.raises(errors.OtherWeights, match="no 'network"):
        loss_line(loss, parameters, {})
    other, _ = network(tt.cells.Elman(), 4)
    with pytest.raises(errors.OtherWeights, match="of shape"):
        loss_line(loss, parameters, other.named_parameters())
    frozen = {"x": torch.ones(2)}
    with pytest.raises(errors.NoWeights):
        loss_surface(loss, frozen)


def test_the_experiment_has_a_table_a_sentence_and_a_picture() -> None:
    experiment = saddle()
    headers, rows = experiment.table()
    assert len(rows) == 3
    assert {len(row) for row in rows} == {len(headers)}
    assert "Newton is in the saddle after 1 and stays" in experiment.sentence
    assert "has left the saddle after 10 steps" in experiment.sentence
    figure = Figure()
    experiment.draw(figure)
    assert [len(axes.lines) for axes in figure.axes] == [3, 4]
    stored = json.loads(json.dumps(experiment.to_json(), allow_nan=False))
    assert len(stored["paths"]) == 3
    assert "has not left it after 2" in saddle(steps=2).sentence
