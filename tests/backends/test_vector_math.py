"""Vector mathematics: errors in ulp, edge values, equal bits on every machine.

The judges are torch in float64 for float32 and mpmath for float64.
"""

import platform
import re

import llvmlite.binding as llvm
import mpmath
import numpy as np
import pytest
import torch
from llvmlite import ir
from numpy.typing import NDArray

from tests.backends.vector_loops import ELEMENTS, VectorLoops
from throughtime.backends.llvm.vector_math import MAXIMUM_ULP, VectorMath

JUDGES = {
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": torch.nn.functional.softplus,
    "erf": torch.erf,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
}
PRECISE_JUDGES = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh": mpmath.tanh,
    "softplus": lambda x: x if x > 20 else mpmath.log1p(mpmath.exp(x)),
    "erf": mpmath.erf,
    "sqrt": mpmath.sqrt,
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
}
NAMES = tuple(JUDGES)
UNARY = dict.fromkeys(NAMES, 1)
BITS = {"float32": (24, -149, np.uint32), "float64": (53, -1074, np.uint64)}
# Where some function changes its way: range ends, splits, saturation, overflow.
CRITICAL = (0.0, 0.3466, 0.4142, -0.2929, 0.7071, 1.0, -1.0, 1.4142, 3.95, 9.02, 10.0)
CRITICAL += (-26.0, 20.0, 30.0, 88.3763, 88.7228, -87.3365, -103.9721, 3.4028235e38)
CRITICAL_64 = (5.93, 20.0, -37.4, -50.0, 709.7827, -708.3964, -745.1332, 1.797e308)

PROCESSORS = {"x86-64": (4, ()), "haswell": (8, ("avx2", "fma"))}
PROCESSORS["skylake-avx512"] = (16, ("avx512f", "avx512dq", "avx512bw", "avx512vl"))
x86_only = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="names x86 processors"
)


def neighbours(points: tuple[float, ...], dtype: str, reach: int) -> NDArray:
    """Give the numbers of both signs whose patterns are close to those of points."""
    integers = BITS[dtype][2]
    patterns = np.abs(np.array(points, dtype)).view(integers).astype(np.int64)
    near = patterns[:, None] + np.arange(-reach, reach)
    values = np.maximum(near, 0).astype(integers).view(dtype).ravel()
    return np.concatenate([values, -values])


def ulp_errors(value: NDArray, truth: NDArray, dtype: str) -> NDArray:
    """Give errors in units in the last place; what must be exact counts as infinite.

    Exact are: NaN, infinities and the sign of zero.
    """
    digits, lowest, _ = BITS[dtype]
    unit = np.ldexp(1.0, np.maximum(np.frexp(truth)[1] - digits, lowest))
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = truth.astype(dtype)
        errors = np.abs(value.astype(np.float64) - truth) / unit
    special = ~np.isfinite(rounded) | ~np.isfinite(value) | (truth == 0)
    same = (value == rounded) & (np.signbit(value) == np.signbit(rounded))
    same |= np.isnan(value) & np.isnan(rounded)
    return np.where(special, np.where(same, 0.0, np.inf), errors)


def judged(name: str, x: NDArray) -> NDArray:
    """Give the values by torch in float64."""
    wide = torch.from_numpy(x.astype(np.float64))
    if name == "softplus":  # torch's own loses all digits where e^x is small
        return torch.where(wide > 20, wide, torch.exp(wide).log1p()).numpy()
    return JUDGES[name](wide).numpy()


@pytest.fixture(scope="module", params=[True, False], ids=["fused", "unfused"])
def loops(request: pytest.FixtureRequest) -> dict[str, VectorLoops]:
    """All functions in both formats for this machine."""
    widths = {"float32": 16, "float64": 8}
    return {
        dtype: VectorLoops(UNARY, dtype, width, fused=request.param)
        for dtype, width in widths.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_errors_float32(loops: dict[str, VectorLoops], name: str) -> None:
    spread = np.arange(0, 2**32, 1693, dtype=np.uint64).astype(np.uint32)
    dense = np.random.default_rng(0).normal(0, 3, 500_000).astype(np.float32)
    around = neighbours(CRITICAL, "float32", 5000)
    x = np.concatenate([spread.view(np.float32), dense, around])
    with np.errstate(invalid="ignore"):
        errors = ulp_errors(loops["float32"](name, x), judged(name, x), "float32")
    worst = errors.argmax()
    stated = MAXIMUM_ULP[name]["float32"]
    assert stated / 2 < errors[worst] <= stated, f"{errors[worst]} ulp at {x[worst]}"


def domain(name: str, x: NDArray) -> NDArray:
    """Keep the arguments that have a finite value."""
    lowest = {"log": 0.0, "sqrt": 0.0, "rsqrt": 0.0, "log1p": -1.0}.get(name, -np.inf)
    highest = 709.78 if name in ("exp", "expm1") else np.inf
    return x[(x > lowest) & (x < highest)]


@pytest.mark.parametrize("name", NAMES)
def test_errors_float64(loops: dict[str, VectorLoops], name: str) -> None:
    random = np.random.default_rng(0)
    scales = 10.0 ** random.uniform(-320, 300, 500) * random.choice([-1, 1], 500)
    around = neighbours(CRITICAL + CRITICAL_64, "float64", 5)
    parts = [scales, around, random.normal(0, 3, 8000), random.uniform(-750, 750, 1500)]
    x = domain(name, np.concatenate(parts))
    value = loops["float64"](name, x)
    errors = []
    with mpmath.workprec(140):
        for argument, given in zip(x.tolist(), value.tolist(), strict=True):
            truth = PRECISE_JUDGES[name](mpmath.mpf(argument))
            exponent = max(mpmath.frexp(truth)[1] - 53, -1074)
            errors.append(abs(mpmath.ldexp(given - truth, -exponent)))
    worst = int(np.argmax(errors))
    stated = MAXIMUM_ULP[name]["float64"]
    assert stated / 2 < errors[worst] <= stated, f"{errors[worst]} ulp at {x[worst]}"


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_errors_of_every_float32(loops: dict[str, VectorLoops], name: str) -> None:
    worst = 0.0
    for start in range(0, 2**32, 2**20):
        patterns = np.arange(start, start + 2**20, dtype=np.uint64).astype(np.uint32)
        x = patterns.view(np.float32)
        with np.errstate(invalid="ignore"):
            errors = ulp_errors(loops["float32"](name, x), judged(name, x), "float32")
        worst = max(worst, float(errors.max()))
    assert worst <= MAXIMUM_ULP[name]["float32"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_edge_values_are_those_of_torch(
    loops: dict[str, VectorLoops], name: str, dtype: str
) -> None:
    largest = float(np.finfo(dtype).max)
    x = np.array([0.0, -0.0, 1.0, -1.0, -1.5, 800.0, -800.0, 1e30, -1e30], dtype)
    x = np.concatenate([x, np.array([np.inf, -np.inf, largest, -largest], dtype)])
    expected = JUDGES[name](torch.from_numpy(x)).numpy()
    value = loops[dtype](name, x)
    np.testing.assert_allclose(value, expected, rtol=4 * np.finfo(dtype).eps, atol=0)
    zero = expected == 0
    assert (np.signbit(value[zero]) == np.signbit(expected[zero])).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_every_nan_stays_nan(
    loops: dict[str, VectorLoops], name: str, dtype: str
) -> None:
    integers = BITS[dtype][2]
    infinity = int(np.array(np.inf, dtype).view(integers))
    payloads = np.unique(
        np.geomspace(1, 2 ** (BITS[dtype][0] - 1) - 1, 500).astype(int)
    )
    nans = (payloads + infinity).astype(integers)
    nans = np.concatenate([nans, nans | integers(1 << (nans.itemsize * 8 - 1))])
    assert np.isnan(loops[dtype](name, nans.view(dtype))).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_saturation_is_exact_and_never_passed(
    loops: dict[str, VectorLoops], dtype: str
) -> None:
    x = np.linspace(0, 40, 400_001).astype(dtype)
    for name in ("tanh", "erf"):
        value = loops[dtype](name, x)
        assert value.max() == 1.0
        assert (value[x > 19.1] == 1.0).all()
        assert (loops[dtype](name, -x) == -value).all()
    assert loops[dtype]("sigmoid", x).max() == 1.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fused", [True, False])
def test_width_changes_no_bit(dtype: str, fused: bool) -> None:
    x = np.random.default_rng(0).normal(0, 5, 997).astype(dtype)
    functions = {"sigmoid": 1, "tanh": 1, "log": 1, "erf": 1}
    wide = VectorLoops(functions, dtype, 16, fused=fused)
    for width in (1, 3, 8, 64):
        narrow = VectorLoops(functions, dtype, width, fused=fused)
        for name in functions:
            np.testing.assert_array_equal(narrow(name, x), wide(name, x))


def runs_here(processor: str) -> bool:
    """Whether this machine has the features of a processor."""
    host = llvm.get_host_cpu_features()
    return all(host.get(feature) for feature in PROCESSORS[processor][1])


@x86_only
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fused", [True, False])
def test_every_processor_gives_the_same_bits(dtype: str, fused: bool) -> None:
    spread = np.arange(0, 2**32, 1_000_003, dtype=np.uint64).astype(np.uint32)
    with np.errstate(invalid="ignore"):  # signalling NaN
        x = spread.view(np.float32).astype(dtype)
    x = np.concatenate([x, neighbours(CRITICAL, dtype, 50)])
    results: dict[str, dict[str, NDArray]] = {}
    for processor, (floats, _) in PROCESSORS.items():
        width = floats if dtype == "float32" else floats // 2
        compiled = VectorLoops(UNARY, dtype, width, fused=fused, cpu=processor)
        if runs_here(processor):
            results[processor] = {name: compiled(name, x) for name in NAMES}
    for given in results.values():
        for name in NAMES:
            np.testing.assert_array_equal(given[name], results["x86-64"][name])


@x86_only
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("processor", PROCESSORS)
def test_code_stays_in_vector_registers(dtype: str, processor: str) -> None:
    floats, features = PROCESSORS[processor]
    width = floats if dtype == "float32" else floats // 2
    fused = bool(features)
    compiled = VectorLoops(UNARY, dtype, width, fused=fused, cpu=processor)
    assert not re.search(r"\bcall", compiled.assembly)
    register = {4: "xmm", 8: "ymm", 16: "zmm"}[floats]
    assert register in compiled.assembly
    assert ("vfmadd" in compiled.assembly) == fused


def test_helpers_agree_with_torch() -> None:
    edges = [0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 1e-40]
    left, right = (
        grid.ravel().astype(np.float32) for grid in np.meshgrid(edges, edges)
    )
    functions = {"maximum": 2, "minimum": 2, "fma": 3, "absolute": 1, "reciprocal": 1}
    compiled = VectorLoops(functions, "float32", 8, fused=True)
    a, b = torch.from_numpy(left), torch.from_numpy(right)
    for name in ("maximum", "minimum"):
        expected = getattr(torch, name)(a, b).numpy()
        np.testing.assert_array_equal(compiled(name, left, right), expected)
    np.testing.assert_array_equal(compiled("absolute", left), a.abs().numpy())
    np.testing.assert_array_equal(compiled("reciprocal", left), (1 / a).numpy())
    tiny = np.full(8, 2.0**-12, np.float32)
    value = compiled("fma", 1 + tiny, 1 - tiny, np.full(8, -1, np.float32))
    assert (value == -(2.0**-24)).all()


def test_a_function_is_written_once() -> None:
    module = ir.Module()
    first = VectorLoops({"exp": 1, "softplus": 1}, "float32", 8, fused=True)
    assert first.text.count("define internal") == 2
    for fused in (True, False):
        mathematics = VectorMath(module, ELEMENTS["float64"], 4, fused=fused)
        signature = ir.FunctionType(mathematics.vector, [mathematics.vector])
        function = ir.Function(module, signature, f"twice_{fused}")
        builder = ir.IRBuilder(function.append_basic_block())
        once = mathematics.call(builder, "tanh", function.args[0])
        builder.ret(mathematics.call(builder, "tanh", once))
    text = str(module)
    assert text.count('define internal <4 x double> @"tt.tanh.v4f64"') == 1
    assert text.count('define internal <4 x double> @"tt.tanh.v4f64.unfused"') == 1
    fast = re.search(
        r"= (fadd|fsub|fmul|fdiv|call|select|fcmp) (fast|nnan|contract)", text
    )
    assert fast is None


def test_bad_arguments_are_refused() -> None:
    module = ir.Module()
    with pytest.raises(TypeError, match="element is i32; expected float or double"):
        VectorMath(module, ir.IntType(32), 8, fused=True)
    with pytest.raises(ValueError, match="width is 65; expected 1 to 64"):
        VectorMath(module, ir.FloatType(), 65, fused=True)


def test_the_judge_sees_wrong_answers() -> None:
    truth = np.array([1.0, 0.0, np.inf, np.nan, 1e-45])
    right = truth.astype(np.float32)
    assert ulp_errors(right, truth, "float32").max() < 0.5
    for index, wrong in enumerate([1 + 2.0**-22, -0.0, 3e38, 0.0, 1e-44]):
        value = right.copy()
        value[index] = wrong
        assert ulp_errors(value, truth, "float32")[index] > 1.5
