"""What scikit-learn asks of an estimator, checked by scikit-learn."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "conventions.py"

# Skipped where pandas is not installed, and for no other reason.
OF_PANDAS = {
    "SequenceClassifier": {
        "check_sample_weights_pandas_series",
        "check_classifier_data_not_an_array",
    },
    "SequenceRegressor": {
        "check_sample_weights_pandas_series",
        "check_regressor_data_not_an_array",
    },
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "least"), [("SequenceClassifier", 63), ("SequenceRegressor", 58)]
)
def test_every_check_passes(name: str, least: int) -> None:
    command = [sys.executable, "-W", "ignore", str(SCRIPT), name]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(answer.stdout)
    assert found["failed"] == []
    assert found["xfail"] == []
    skipped = {check for check, _ in found["skipped"]}
    assert skipped == (set() if find_spec("pandas") else OF_PANDAS[name])
    assert all("pandas is not installed" in why for _, why in found["skipped"])
    assert len(found["passed"]) >= least
