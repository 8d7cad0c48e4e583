"""Run scikit-learn's own checks of an estimator, and print what became of each.

In a process of its own: SciPy reads once, when it is imported, whether arrays of other
libraries are to be tried.
"""

import json
import os
import sys

os.environ["SCIPY_ARRAY_API"] = "1"

from sklearn.utils.estimator_checks import check_estimator

import throughtime as tt

# Quick to train, and of so few sequences a batch is all of them: then, and only then,
# weights of sequences and repetitions of them mean the same.
SETTINGS = {
    "hidden_size": 8,
    "batch_size": 64,
    "learning_rate": 0.1,
    "validation": 0,
    "dtype": "float64",
    "threads": 1,
    "init": "orthogonal",
}
# Enough for the accuracy that the checks ask for.
EPOCHS = {"SequenceClassifier": 5, "SequenceRegressor": 15}


def main(name: str) -> None:
    kind = getattr(tt.estimators, name)
    estimator = kind("elman", epochs=EPOCHS[name], **SETTINGS)
    results = check_estimator(estimator, on_skip=None, on_fail=None)
    found = {"passed": [], "skipped": [], "failed": [], "xfail": []}
    for result in results:
        found[result["status"]].append(
            [result["check_name"], str(result["exception"] or "")]
        )
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
