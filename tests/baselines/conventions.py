"""Run scikit-learn's own checks of some baselines, and print what became of each.

In a process of its own: SciPy reads once, when it is imported, whether arrays of other
libraries are to be tried.
"""

import json
import os
import sys

os.environ["SCIPY_ARRAY_API"] = "1"

from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.utils.estimator_checks import check_estimator

from throughtime.baselines import HiddenMarkovClassifier, Persistence, Summary

CHECKED = {
    "Summary of numbers": Summary(Ridge()),
    "Summary of classes": Summary(RidgeClassifier()),
    "HiddenMarkovClassifier": HiddenMarkovClassifier(2),
    "Persistence": Persistence(),
}


def main() -> None:
    found = {}
    for name, estimator in CHECKED.items():
        results = check_estimator(estimator, on_skip=None, on_fail=None)
        found[name] = [
            [one["status"], one["check_name"], str(one["exception"] or "")]
            for one in results
        ]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
