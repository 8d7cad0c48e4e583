"""Several processes that learn together, each from its part of the batch."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from throughtime.cells import PeepholeLSTM
from throughtime.nn import Recurrent

distributed.init_process_group("gloo")
rank, number = distributed.get_rank(), distributed.get_world_size()
torch.set_num_threads(1)
torch.manual_seed(0)
module = Recurrent(PeepholeLSTM(), 3, 5, num_layers=2, dtype=torch.float64)
alone = Recurrent(PeepholeLSTM(), 3, 5, num_layers=2, dtype=torch.float64)
alone.load_state_dict(module.state_dict())
x = torch.randn(6, 4 * number, 3, dtype=torch.float64)
lengths = torch.randint(0, 7, (4 * number,))
own = slice(4 * rank, 4 * rank + 4)

together = DistributedDataParallel(module)
together(x[:, own], lengths=lengths[own])[0].square().sum().backward()
(alone(x, lengths=lengths)[0].square().sum() / number).backward()
for mine, whole in zip(module.parameters(), alone.parameters(), strict=True):
    torch.testing.assert_close(mine.grad, whole.grad, rtol=0, atol=1e-12)
distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_gradients_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    script = tmp_path / "learn.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    answer = subprocess.run(
        [*command, "--nproc-per-node=2", str(script)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
