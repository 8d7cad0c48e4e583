"""What `throughtime diagnose` and `--watch gradients` leave behind, made up.

The numbers are those of an LSTM of two layers that forgets after some twenty steps.
"""

import json
from pathlib import Path
from typing import Any

STEPS, LAGS, EPOCHS = 30, 24, 8
LAYERS = [(0, "h", 0.72), (0, "c", 0.82), (1, "h", 0.7), (1, "c", 0.8)]


def keyed(layer: int, value: str, name: str = "state") -> dict[str, Any]:
    return {"layer": layer, "direction": 0, name: value}


def flow() -> dict[str, Any]:
    layers = []
    for layer, state, factor in LAYERS:
        median = [0.3 * factor ** (STEPS - 1 - step) for step in range(STEPS)]
        band = {"low": [m / 4 for m in median], "high": [3 * m for m in median]}
        layers.append({**keyed(layer, state), "median": median, **band})
    return {"steps": list(range(STEPS)), "layers": layers}


def lags() -> dict[str, Any]:
    sampled = [5, 11, 17, 23, 29]
    layers = []
    for layer, state, factor in LAYERS:
        norms = [0.3 * factor**lag for lag in range(LAGS)]
        by_step = [
            [norm if lag <= step else None for lag, norm in enumerate(norms)]
            for step in sampled
        ]
        layers.append({**keyed(layer, state), "norms": norms, "by_step": by_step})
    return {"sampled": sampled, "lags": list(range(LAGS)), "layers": layers}


def memory() -> dict[str, Any]:
    horizons = [
        {**keyed(layer, state), "horizon": horizon, "threshold": 0.01}
        for (layer, state, _), horizon in zip(LAYERS, [14, 23, 13, 21], strict=True)
    ]
    curve = [
        {
            "history": k,
            "loss": 0.42 + 1.6 * 0.84**k,
            "low": 0.38 + 1.5 * 0.84**k,
            "high": 0.46 + 1.7 * 0.84**k,
        }
        for k in (1, 2, 4, 8, 16, 24, 28, 29)
    ]
    said = {"full_loss": 0.42, "how": "cut", "window": None, "verdict": "too short"}
    return {"layers": horizons, "needed": 28, "curve": curve, **said}


def saturation() -> list[dict[str, Any]]:
    shares = {"i": 0.12, "f": 0.31, "o": 0.08, "g": 0.04}
    return [
        {
            **keyed(layer, node, "node"),
            "function": "tanh" if node == "g" else "sigmoid",
            "share": share / (1 + layer),
            "by_step": [share] * 5,
        }
        for layer in (0, 1)
        for node, share in shares.items()
    ]


def surface() -> dict[str, Any]:
    positions = [-0.5 + k / 10 for k in range(21)]
    ticks = [-1 + k / 5 for k in range(11)]
    return {
        "gradient_norm": 0.004,
        "largest": 31.2,
        "smallest": -0.08,
        "index": 0.1,
        "verdict": "saddle",
        "line": {
            "positions": positions,
            "losses": [0.4 + 1.9 * (p - 1) ** 2 for p in positions],
            "barrier": 0.0,
        },
        "slice": {
            "first": ticks,
            "second": ticks,
            "losses": [
                [0.4 + a * a + 0.4 * b * b + 0.3 * a * b for b in ticks] for a in ticks
            ],
        },
    }


FINDINGS = [
    {
        "kind": "good memory",
        "severity": "good",
        "where": None,
        "sentence": "The memory reaches as far as the data need.",
        "remedy": None,
        "measured": {"needed": 16},
    },
    {
        "kind": "saturated gates",
        "severity": "note",
        "where": "layer 0, f",
        "sentence": "31 % of the values of the forget gate are at the flat ends of σ.",
        "remedy": "--learning-rate 0.001",
        "measured": {"share": 0.31},
    },
    {
        "kind": "vanishing",
        "severity": "alarm",
        "where": "layer 0, h",
        "sentence": "The gradient loses 28 % at each step back and is gone after 14.",
        "remedy": "--init chrono",
        "measured": {"horizon": 14},
    },
]


def diagnosis() -> dict[str, Any]:
    exponents = [0.02, -0.05, -0.1, -0.22, -0.3, -0.41, -0.6, -0.9]
    return {
        "version": 1,
        "data": {
            "part": "validation",
            "sequences": 64,
            "steps": STEPS,
            "per": "sequence",
        },
        "seconds": {"flow": 0.4, "lags": 1.9, "memory": 2.5, "surface": 8.1},
        "flow": flow(),
        "lags": lags(),
        "saturation": saturation(),
        "dead": [{**keyed(0, "h", "node"), "units": 24, "dead": 1}],
        "updates": [
            {"parameter": "network.weight_ih_l0", "ratio": 0.0021},
            {"parameter": "network.weight_hh_l0", "ratio": 0.0009},
            {"parameter": "head.weight", "ratio": 0.0004},
        ],
        "memory": memory(),
        "spectrum": [
            {
                "layer": 0,
                "direction": 0,
                "exponents": exponents,
                "kaplan_yorke": 1.4,
                "horizon": 50.0,
                "steps": 200,
            }
        ],
        "fixed_points": [
            {
                "layer": 0,
                "speed": 1e-9,
                "kind": "fixed",
                "largest": 0.93,
                "unstable": 0,
                "count": 3,
            }
        ],
        "surface": surface(),
        "findings": FINDINGS,
    }


def watched() -> list[dict[str, Any]]:
    """A line per epoch: the flow reaches further back as it learns."""
    return [
        {
            "epoch": epoch,
            "updates": 40,
            "watched": 5,
            "aligned": "start",
            "steps": list(range(STEPS)),
            "layers": [
                {
                    **keyed(layer, state),
                    "norms": [
                        0.3
                        * (0.5 * factor * (1 + epoch / EPOCHS)) ** (STEPS - 1 - step)
                        for step in range(STEPS)
                    ],
                }
                for layer, state, factor in LAYERS
            ],
            "saturation": [],
            "dead": [],
            "ratios": {"network.weight_hh_l0": 0.001},
        }
        for epoch in range(1, EPOCHS + 1)
    ]


def write_diagnosis(run: Path, **parts: Any) -> None:
    """Put a diagnosis into a run's folder, with some parts as one wants them."""
    said = {**diagnosis(), **parts}
    (run / "diagnosis.json").write_text(json.dumps(said, allow_nan=False))


def write_flow(run: Path) -> None:
    lines = "".join(f"{json.dumps(row)}\n" for row in watched())
    (run / "flow.jsonl").write_text(lines)
