"""Compiled layers as torch operators: eager, differentiated, compiled, exported.

Eager code goes through flat `torch.autograd.Function`s, which `torch.func` can
transform; a graph captured by `torch.compile` or `torch.export` holds the operators
that `registered` has, and so does all that watches operators from inside eager code
(tracers, fake tensors, subclasses of tensors). All of them end in `calls`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import unwrap_if_dead
from torch.autograd import forward_ad

from throughtime.errors import SpentGraph
from throughtime.nn.compiled.calls import backward, forward
from throughtime.nn.compiled.elements import BackwardCall, places_of_parameters
from throughtime.nn.compiled.engine import engine
from throughtime.nn.compiled.folding import (
    batched_by_autograd,
    fold,
    fold_where,
    map_for_autograd,
    one_by_one,
    unfold,
)
from throughtime.nn.compiled.registered import CAPTURED, backward_call, filled
from throughtime.nn.compiled.second import (
    Call,
    Rates,
    Ways,
    Where,
    divide,
    forward_rates,
    names_of,
    spread,
)

PLAIN = {Tensor, torch.nn.Parameter, type(None)}


def run(
    graph: str,
    training: bool,
    wanted: str,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    where: Where,
) -> tuple[Tensor, Sequence[Tensor]]:
    """Output ``(N, H)`` and final states ``(B, n)`` of a compiled layer.

    Parameters
    ----------
    graph
        The step graph as JSON.
    training
        Whether a backward pass may follow.
    wanted
        The inputs whose gradient it has to give, with spaces between.
    inputs, initial, parameters
        Rows ``(N, n)`` or ``(T, B, n)``, which the output is like; states ``(B, n)``,
        none for those of the declarations; parameters in the order of the graph, and
        behind them its key, ``(1,)`` int64, if the graph draws something.
    where
        As in `execution.run_layer`.
    """
    result: Sequence[Tensor]
    sizes = len(inputs), len(initial)
    if torch.compiler.is_compiling():
        result = torch.ops.throughtime.layer(
            graph, training, wanted, inputs, initial, parameters, *where
        )
    else:
        settings = graph, training, wanted, sizes, where
        tensors = *inputs, *initial, *parameters
        result = _call(_Layer, training, settings, tensors)
    return result[0], result[1:-1]


def _call(
    function: type[torch.autograd.Function],
    differentiable: bool,
    settings: tuple[Any, ...],
    tensors: Sequence[Tensor | None],
) -> tuple[Tensor, ...]:
    """What ``function.apply(*settings, *tensors)`` gives, sooner.

    `apply` binds defaults by the function's signature, which takes longer than a
    small layer; where nobody differentiates, ``forward`` alone does.
    """
    if torch._C._are_functorch_transforms_active():
        return function.apply(*settings, *tensors)
    # Tensors may outlive the transform of `torch.func` that wrapped them.
    own = [value if value is None else unwrap_if_dead(value) for value in tensors]
    arguments = *settings, *own
    try:
        if differentiable or forward_ad._current_level >= 0:
            return super(torch.autograd.Function, function).apply(*arguments)  # type: ignore[missing-attribute]
        return function.forward(*arguments)
    except RuntimeError:
        # They have no address. To ask before would take as long as all of the above.
        if not batched_by_autograd(own):
            raise
    return map_for_autograd(function, settings, own)


def _watched(tensors: Sequence[Tensor | None]) -> bool:
    """Whether something has to see an operator, not only its results."""
    modes: int = torch._C._len_torch_dispatch_stack()
    return modes > 0 or not PLAIN.issuperset(map(type, tensors))


class _Layer(torch.autograd.Function):
    """Forward of a layer, on tensors laid out flat."""

    @staticmethod
    def forward(  # type: ignore[bad-override]
        graph: str,
        training: bool,
        wanted: str,
        sizes: tuple[int, int],
        where: Where,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        function = torch.ops.throughtime.layer if _watched(tensors) else forward
        divided = divide(tensors, sizes)
        return tuple(function(graph, training, wanted, *divided, *where))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        graph, training, wanted, sizes, where, *tensors = inputs
        ctx.mark_non_differentiable(output[-1])
        # Else autograd fills zeros for the saved rows, the largest tensor there is.
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, output[0], output[-1])
        ctx.settings = graph, wanted, sizes, where
        # Who keeps what is saved elsewhere may give it more than once.
        ctx.kept = torch._C._autograd._top_saved_tensors_default_hooks(False) is None
        ctx.spent = False
        if forward_ad._current_level >= 0:
            ctx.save_for_forward(*tensors)
            ctx.training = training

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        graph, wanted, _, where = ctx.settings
        tensors = ctx.saved_tensors
        made = engine(graph, True, wanted, tensors[0].dtype, where.bfloat16)
        if ctx.spent:
            raise SpentGraph(cell=made.graph.cell)
        given = filled(gradients[0], tensors[-2]), *gradients[1:-1]
        again = torch.is_grad_enabled()
        # Transforms come back to the same rows, one element after the other.
        active = torch._C._are_functorch_transforms_active()
        once = ctx.kept and not (again or active or _keeps_graph())
        ctx.spent = once
        settings = *ctx.settings, once, 0
        found = _call(_LayerBackward, again, settings, (*tensors, *given))
        found = spread(made.input_sizes, wanted, found, len(tensors) - 2)
        return None, None, None, None, None, *found

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, Any]:
        graph, training, wanted, sizes, where, *tensors = arguments
        size, dims, shared = info.batch_size, in_dims[5:], sum(sizes)
        if where.segment or any(dim is not None for dim in dims[shared:]):
            return one_by_one(_Layer.apply, size, in_dims, arguments)
        rows = zip(tensors[:shared], dims, strict=False)
        folded = [fold(value, dim, size) for value, dim in rows]
        settings = graph, training, wanted, sizes, fold_where(where, size)
        found = _Layer.apply(*settings, *folded, *tensors[shared:])
        unfolded = tuple(unfold(value, size) for value in found)
        return unfolded, tuple(value.dim() - 2 for value in unfolded)

    @staticmethod
    def jvp(ctx: Any, *rates: Tensor | None) -> tuple[Tensor | None, ...]:
        graph, wanted, sizes, where = ctx.settings
        call = Call(graph, wanted, *divide(ctx.saved_tensors, sizes), where)
        given = Rates(*divide(rates[5:], sizes))
        return *forward_rates(EAGER, call, given, ctx.training), None


class _LayerBackward(torch.autograd.Function):
    """Backward of a layer.

    ``elements`` is 0 for one gradient of each parameter. Else it is the number of
    calls that were folded to one, and each has its own.
    """

    @staticmethod
    def forward(  # type: ignore[bad-override]
        graph: str,
        wanted: str,
        sizes: tuple[int, int],
        where: Where,
        once: bool,
        elements: int,
        *tensors: Any,
    ) -> tuple[Tensor, ...]:
        made = engine(graph, True, wanted, tensors[0].dtype, where.bfloat16)
        final = len(tensors) - len(made.graph.states)
        *own, output, saved, output_gradient = tensors[:final]
        given = output, saved, output_gradient, tensors[final:]
        arguments: list[Any] = [graph, wanted, *divide(own, sizes), *where, *given]
        if not _watched(tensors):
            return tuple(backward(*arguments, overwrite=once, elements=elements))
        if not elements:
            return tuple(torch.ops.throughtime.layer_backward(*arguments))
        folded = BackwardCall(graph, wanted, sizes, where, elements, tensors)
        return folded.results(CAPTURED)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        *settings, _, elements = inputs[:6]
        ctx.set_materialize_grads(False)
        ctx.settings = *settings, elements
        ctx.save_for_backward(*inputs[6:])
        if forward_ad._current_level >= 0:
            ctx.save_for_forward(*inputs[6:])

    @staticmethod
    def backward(ctx: Any, *errors: Tensor | None) -> tuple[Any, ...]:
        given = backward_call(ctx)
        everything = any(ctx.needs_input_grad[6 : 6 + given.shared.stop])
        found = given.gradients(EAGER, errors, everything=everything)
        return *(None,) * 6, *found

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, Any]:
        graph, wanted, sizes, where, _, elements, *tensors = arguments
        size, dims = info.batch_size, in_dims[6:]
        shared = places_of_parameters(graph, sizes)
        if where.segment or any(dims[place] is not None for place in shared):
            return one_by_one(_LayerBackward.apply, size, in_dims, arguments)
        folded = [
            value if value is None or place in shared else fold(value, dim, size)
            for place, (value, dim) in enumerate(zip(tensors, dims, strict=True))
        ]
        every = size * max(elements, 1)
        settings = graph, wanted, sizes, fold_where(where, size), False, every
        found = _LayerBackward.apply(*settings, *folded)
        rows = len(found) - len(names_of(graph).parameters)
        unfolded = [unfold(value, size) for value in found[:rows]]
        apart = list(found[rows:])
        if elements:
            apart = [value.unflatten(0, (elements, size)) for value in apart]
        places = [value.dim() - 2 for value in unfolded]
        return (*unfolded, *apart), (*places, *[int(elements > 0)] * len(apart))

    @staticmethod
    def jvp(ctx: Any, *rates: Tensor | None) -> tuple[Tensor | None, ...]:
        given = backward_call(ctx)
        return tuple(given.rates(EAGER, rates[6:]))


def _layer(graph: str, training: bool, wanted: str, *rest: Any) -> Sequence[Tensor]:
    """`calls.forward`, which can be differentiated."""
    inputs, initial, parameters, *where = rest
    settings = graph, training, wanted, (len(inputs), len(initial)), Where(*where)
    return _call(_Layer, training, settings, (*inputs, *initial, *parameters))


def _layer_backward(graph: str, wanted: str, *rest: Any) -> Sequence[Tensor]:
    """`calls.backward`, which can be differentiated."""
    inputs, initial, parameters, *where, output, saved, gradient, finals = rest
    sizes = len(inputs), len(initial)
    tensors = *inputs, *initial, *parameters, output, saved, gradient, *finals
    settings = graph, wanted, sizes, Where(*where), False, 0
    return _call(_LayerBackward, torch.is_grad_enabled(), settings, tensors)


EAGER = Ways(_layer, _layer_backward)


def _keeps_graph() -> bool:
    """Whether another backward pass may follow the one that runs."""
    kept: bool = torch._C._autograd._get_current_graph_task_keep_graph()
    return kept
