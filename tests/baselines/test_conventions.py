"""What scikit-learn asks of an estimator, checked by scikit-learn."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "conventions.py"
LEAST = {
    "Summary of numbers": 50,
    "Summary of classes": 56,
    "HiddenMarkovClassifier": 54,
    "Persistence": 40,
}


@pytest.mark.timeout(600)
def test_every_check_passes() -> None:
    command = [sys.executable, "-W", "ignore", str(SCRIPT)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(answer.stdout)
    assert found.keys() == LEAST.keys()
    for name, results in found.items():
        statuses = [status for status, _, _ in results]
        assert [one for one in results if one[0] not in {"passed", "skipped"}] == []
        assert statuses.count("passed") >= LEAST[name]
