"""Segments of a sequence, one call after the other, as one."""

from itertools import count

import pytest
import torch
from torch import Tensor

from throughtime.backends.llvm import meeting
from throughtime.cells import LSTM
from throughtime.nn import Recurrent


def test_a_series_keeps_its_code_where_threads_come_to_meet_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the segments that follow would begin the gradients of weights anew."""
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    module = Recurrent(LSTM(), 32, 64, checkpoint=50)
    x = torch.randn(400, 1, 32)

    def gradients(change: int) -> list[Tensor]:
        """Threads need longer from so many questions on."""
        calls = count()

        def seconds() -> float:
            return 5e-7 if next(calls) >= change else 1e-8

        monkeypatch.setattr(meeting, "seconds_to_meet", seconds)
        module.zero_grad()
        module(x)[0].square().sum().backward()
        return [p.grad.clone() for p in module.parameters() if p.grad is not None]

    torch.set_num_threads(2)
    try:
        expected = gradients(1000)
        for change in range(0, 50, 2):
            for whole, found in zip(expected, gradients(change), strict=True):
                assert torch.equal(whole, found)
    finally:
        torch.set_num_threads(threads)
