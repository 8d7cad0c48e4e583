"""Where the threads that share a step's units wait for each other.

Every thread has a flag of its own, a whole cache line, that counts the barriers it has
come to; it goes on when all flags have got as far. A thread that waits long lets the
system run another one: there may be fewer processors than threads.
"""

from collections.abc import Callable

from llvmlite import ir

from throughtime.backends.llvm.writer import (
    INDEX,
    POINTER,
    SMALL,
    VOID,
    Writer,
    callable_at,
    index,
    internal_function,
)

LINE = 8
"""64-bit words from one thread's flag to the next."""
PATIENCE = 512
"""Looks at a flag before the processor is given up."""
WORD_BYTES = 8


def write_barrier(w: Writer, *, x86: bool) -> None:
    """Fill in ``barrier(flags, thread, team, count, give_up)``.

    ``count`` is that of this barrier, ``give_up`` the address of a function that
    lets the system choose who runs.
    """
    builder = w.builder
    flags, thread, team, count, give_up = builder.function.args
    own = w.word(flags, w.times(thread, LINE))
    builder.store_atomic(count, typed(own), "release", WORD_BYTES)

    def yield_() -> None:
        kind = ir.FunctionType(SMALL, [])
        builder.call(callable_at(give_up, kind), [])

    with w.loop(index(0), team) as other:
        flag = w.word(flags, w.times(other, LINE))
        wait(w, flag, count, PATIENCE, yield_, x86=x86)
    builder.ret_void()


def declare_barrier(module: ir.Module) -> ir.Function:
    """The function without its body."""
    arguments = [POINTER, INDEX, INDEX, INDEX, POINTER]
    return internal_function(module, "barrier", arguments)


def wait(
    w: Writer,
    flag: ir.Value,
    count: ir.Value,
    patience: int,
    tired: Callable[[], None],
    *,
    x86: bool,
) -> None:
    """Look at a flag until it has got as far as a count.

    ``tired`` writes what is done at each look after so many.
    """
    builder = w.builder
    function, before = builder.function, builder.block
    look, again, behind = (
        function.append_basic_block(name) for name in ("look", "again", "behind")
    )
    builder.branch(look)
    builder.position_at_end(look)
    looks = builder.phi(INDEX, "looks")
    looks.add_incoming(index(0), before)
    seen = builder.load_atomic(flag, "acquire", WORD_BYTES, typ=INDEX)
    builder.cbranch(builder.icmp_signed(">=", seen, count), behind, again)
    builder.position_at_end(again)
    if x86:
        _pause(builder)
    long = builder.icmp_signed(">=", looks, index(patience))
    with builder.if_then(long, likely=False):
        tired()
    following = builder.add(looks, index(1))
    looks.add_incoming(following, builder.block)
    builder.branch(look)
    builder.position_at_end(behind)


def _pause(builder: ir.IRBuilder) -> None:
    """Let the processor know that one only waits."""
    name, module = "llvm.x86.sse2.pause", builder.module
    kind = ir.FunctionType(VOID, [])
    builder.call(module.globals.get(name) or ir.Function(module, kind, name), [])


def typed(address: ir.NamedValue) -> ir.NamedValue:
    """An address of a word: llvmlite wants the type on the value itself."""
    address.type = INDEX.as_pointer()
    return address
