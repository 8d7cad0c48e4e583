"""A whole module: programs, contractions and the one function that callers enter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from functools import partial

from llvmlite import ir

from throughtime.backends.llvm.arguments import (
    AGAIN,
    PACKERS,
    PARALLEL,
    TEAM,
    THREAD,
    Arguments,
)
from throughtime.backends.llvm.barrier import declare_barrier, write_barrier
from throughtime.backends.llvm.body import BodyWriter
from throughtime.backends.llvm.contraction import ContractionWriter
from throughtime.backends.llvm.edges import Edges, EdgeWriter
from throughtime.backends.llvm.layout import CHUNK, Layout
from throughtime.backends.llvm.matrix_tiles import WORDS
from throughtime.backends.llvm.options import Settings
from throughtime.backends.llvm.outer import OuterTiles
from throughtime.backends.llvm.packing import (
    PanelWriter,
    pack_function,
    write_pack_across,
    write_pack_along,
)
from throughtime.backends.llvm.pairs import (
    write_pack_pairs_across,
    write_pack_pairs_along,
)
from throughtime.backends.llvm.parts import Parts
from throughtime.backends.llvm.rows import places_of_sums
from throughtime.backends.llvm.schedule import schedule
from throughtime.backends.llvm.target import Target
from throughtime.backends.llvm.tiles import Tiles
from throughtime.backends.llvm.vector_math import VectorMath
from throughtime.backends.llvm.writer import (
    INDEX,
    POINTER,
    SMALL,
    VOID,
    Writer,
    callable_at,
    index,
    numbers_of_thread,
)
from throughtime.graph.programs import Contraction, Program, multiply_adds

ELEMENTS = {4: ir.FloatType(), 8: ir.DoubleType()}
PACK_BODY = "body.pack"


class Region(StrEnum):
    """What a region does: one program, or something about gradients of parameters."""

    PROGRAM = auto()
    CLEARING = auto()
    CONTRACTIONS = auto()
    TOTAL = auto()


@dataclass(frozen=True)
class Work:
    """What decides on the threads of a region.

    Multiply-adds per row; whether steps follow each other; the shares into which
    the units of a row are divided among threads, 0 if rows are; and its kind. What is
    done about the contractions has their multiply-adds: the same threads do it.
    """

    per_row: int
    recurrent: bool
    shares: int = 0
    kind: Region = Region.PROGRAM


@dataclass(frozen=True)
class Source:
    """A module's text and what its callers must give it."""

    text: str
    names: tuple[str, ...]
    """Words of the table of arguments behind the fixed ones and the threads."""
    panel_size: int
    scratch_width: int
    regions: tuple[Work, ...]
    sums: int
    """Numbers of all gradients of parameters, as a part sums them."""


def write_module(
    programs: Sequence[Program],
    contractions: Sequence[Contraction],
    edges: Edges,
    widths: Mapping[str, int],
    columns: Sequence[int],
    target: Target,
    settings: Settings,
) -> Source:
    """LLVM IR of programs run one after the other, then of contractions.

    Parameters
    ----------
    programs, contractions
        Halves of a plan, forward or backward.
    edges
        What comes before and behind them.
    widths
        Numbers from a row to the next one in every buffer.
    columns
        Columns of every operand; 1 for a vector.
    target
        The processor.
    settings
        Numbers and ways.
    """
    writer = _ModuleWriter(widths, columns, target, settings)
    return writer.write(programs, contractions, edges)


class _ModuleWriter:
    def __init__(
        self,
        widths: Mapping[str, int],
        columns: Sequence[int],
        target: Target,
        settings: Settings,
    ) -> None:
        self.settings = settings
        self.module = ir.Module("throughtime")
        self.item_bytes = settings.item_bytes
        self.element = ELEMENTS[self.item_bytes]
        self.target = target
        self.lanes = target.lanes(self.item_bytes)
        self.matrices = settings.matrices(target)
        self.widths = dict(widths)
        self.columns = columns
        self.arguments = Arguments()
        self.math = VectorMath(
            self.module, self.element, self.lanes, fused=target.fused
        )
        self.tiles = Tiles(
            self.module,
            self.element,
            self.lanes,
            self.math,
            bfloat16=settings.bfloat16,
            matrices=self.matrices,
        )
        self.scratch_width = 1

    def write(
        self,
        programs: Sequence[Program],
        contractions: Sequence[Contraction],
        edges: Edges,
    ) -> Source:
        layouts = self._layouts(programs)
        if self.settings.split_units:
            self._barrier()
        behind = _regions_behind(contractions, edges)
        for region in range(len(programs) + len(behind)):
            self.arguments.position(threads_word(region))
        bodies = [
            BodyWriter(
                self.module,
                body_name(number),
                program,
                layout,
                self.arguments,
                self.widths,
                self.tiles,
                self.math,
                self.settings.options,
            ).write()
            for number, (program, layout) in enumerate(
                zip(programs, layouts, strict=True)
            )
        ]
        work = [_work(layout) for layout in layouts]
        for kind in behind:
            name = body_name(len(bodies))
            if kind is Region.CONTRACTIONS:
                body = self._contractions(name, contractions, edges)
            else:
                body = self._sums(name, kind, edges)
            bodies.append(body)
            work.append(replace(_contraction_work(contractions), kind=kind))
        self._enter(self._pack(layouts), self._edges(edges), bodies)
        return Source(
            text=str(self.module),
            names=tuple(self.arguments.names),
            panel_size=max((layout.panel_end for layout in layouts), default=0),
            scratch_width=self.scratch_width,
            regions=tuple(work),
            sums=places_of_sums(edges.gradients, self.item_bytes)[1],
        )

    def _barrier(self) -> None:
        function = declare_barrier(self.module)
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        writer = Writer(builder, self.element, self.lanes, self.item_bytes)
        write_barrier(writer, x86=self.target.x86)

    def _layouts(self, programs: Sequence[Program]) -> list[Layout]:
        layouts: list[Layout] = []
        start = 0
        for program in programs:
            plan = schedule(program, self.lanes)
            layout = Layout(program, plan, self.target, self.settings, start)
            start = layout.panel_end
            self.scratch_width = max(self.scratch_width, layout.scratch_width)
            layouts.append(layout)
        return layouts

    def _contractions(
        self, name: str, contractions: Sequence[Contraction], edges: Edges
    ) -> ir.Function:
        writer = ContractionWriter(
            OuterTiles(self.module, self.element, self.lanes, self.math),
            name,
            self.target,
            self.arguments,
            self.widths,
            self.columns,
            self.settings.options,
            edges,
        )
        body = writer.write(contractions)
        # A thread has `CHUNK` rows of scratch memory.
        self.scratch_width = max(self.scratch_width, -(-writer.room // CHUNK))
        return body

    def _sums(self, name: str, kind: Region, edges: Edges) -> ir.Function:
        """What comes before the contractions, or behind them."""
        function = ir.Function(
            self.module, ir.FunctionType(VOID, [POINTER, INDEX, INDEX]), name
        )
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        writer = Writer(builder, self.element, self.lanes, self.item_bytes)
        parts = Parts(writer, self.arguments, edges)
        if kind is Region.CLEARING:
            parts.begin()
        else:
            parts.total()
        return function

    def _pack(self, layouts: Sequence[Layout]) -> ir.Function:
        """Give the function of a thread's part of all panels."""
        across, along = (
            pack_function(self.module, across=way) for way in (True, False)
        )
        writers = (write_pack_across, write_pack_along)
        if self.settings.bfloat16:
            together = WORDS if self.matrices else 1
            along_pairs = partial(write_pack_pairs_along, together=together)
            writers = (write_pack_pairs_across, along_pairs)
        for pack, write in zip((across, along), writers, strict=True):
            builder = ir.IRBuilder(pack.append_basic_block("entry"))
            write(pack, Writer(builder, self.element, self.lanes, self.item_bytes))
        return self._pack_body(layouts, across, along)

    def _pack_body(
        self, layouts: Sequence[Layout], across: ir.Function, along: ir.Function
    ) -> ir.Function:
        """``body.pack(arguments, thread, team)``: a thread's part of all panels."""
        kind = ir.FunctionType(VOID, [POINTER, INDEX, INDEX])
        function = ir.Function(self.module, kind, PACK_BODY)
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        writer = Writer(builder, self.element, self.lanes, self.item_bytes)
        table, thread, team = function.args

        def share(tiles: int) -> tuple[ir.Value, ir.Value]:
            return writer.share(index(tiles), thread, team)

        for layout in layouts:
            PanelWriter(
                writer, across, along, layout, self.arguments, table, share
            ).write()
        builder.ret_void()
        return function

    def _edges(self, edges: Edges) -> tuple[ir.Function, ir.Function]:
        """``begin(arguments)`` and ``end(arguments)``."""
        found = []
        for name, write in (("begin", EdgeWriter.begin), ("end", EdgeWriter.end)):
            function, builder = self._entry(name)
            writer = Writer(builder, self.element, self.lanes, self.item_bytes)
            table = function.args[0]
            write(EdgeWriter(writer, table, self.arguments, self.widths, edges))
            found.append(function)
        return found[0], found[1]

    def _enter(
        self,
        pack: ir.Function,
        edges: tuple[ir.Function, ir.Function],
        bodies: Sequence[ir.Function],
    ) -> None:
        """``run(arguments)``: each region with its threads, between the edges."""
        regions = [
            self._region(str(number), body, self._threads_of(number))
            for number, body in enumerate(bodies)
        ]
        packing = self._region("pack", pack, PACKERS)
        begin, end = edges
        function, builder = self._entry("run")
        writer = Writer(builder, self.element, self.lanes, self.item_bytes)
        again = writer.count(function.args[0], AGAIN)
        with builder.if_then(builder.icmp_signed("==", again, index(0))):
            builder.call(packing, function.args)
        for part in (begin, *regions, end):
            builder.call(part, function.args)
        builder.ret_void()

    def _entry(self, name: str) -> tuple[ir.Function, ir.IRBuilder]:
        kind = ir.FunctionType(VOID, [POINTER])
        function = ir.Function(self.module, kind, name)
        return function, ir.IRBuilder(function.append_basic_block("entry"))

    def _threads_of(self, region: int) -> int:
        return self.arguments.position(threads_word(region))

    def _region(self, name: str, body: ir.Function, word: int) -> ir.Function:
        """``region(arguments)``: its body in as many threads as a word says."""
        task = self._task(name, body)
        function, builder = self._entry(f"region.{name}")
        writer = Writer(builder, self.element, self.lanes, self.item_bytes)
        table = function.args[0]
        threads = writer.count(table, word)
        several = builder.icmp_signed(">", threads, index(1))
        with builder.if_else(several) as (then, otherwise):
            with then:
                self._parallel(writer, table, task, threads)
            with otherwise:
                builder.call(body, [table, index(0), index(1)])
        builder.ret_void()
        return function

    def _parallel(
        self, writer: Writer, table: ir.Value, task: ir.Function, threads: ir.Value
    ) -> None:
        """``GOMP_parallel(task, arguments, threads, 0)``, its address being given."""
        builder = writer.builder
        kind = ir.FunctionType(VOID, [POINTER, POINTER, SMALL, SMALL])
        parallel = callable_at(writer.pointer(table, PARALLEL), kind)
        team = builder.trunc(threads, SMALL)
        flags = ir.Constant(SMALL, 0)
        builder.call(parallel, [task, table, team, flags])

    def _task(self, region: str, body: ir.Function) -> ir.Function:
        """What each thread of a team runs: it asks for its number."""
        function, builder = self._entry(f"task.{region}")
        writer = Writer(builder, self.element, self.lanes, self.item_bytes)
        table = function.args[0]
        builder.call(body, [table, *numbers_of_thread(writer, table, (THREAD, TEAM))])
        builder.ret_void()
        return function


def threads_word(region: int) -> str:
    """Name of the word that holds a region's number of threads."""
    return f"threads {region}"


def body_name(region: int) -> str:
    """Name of a region's function."""
    return f"body.{region}"


def _regions_behind(contractions: Sequence[Contraction], edges: Edges) -> list[Region]:
    """What runs behind all programs."""
    cleared = [Region.CLEARING] if edges.gradients else []
    return cleared + ([Region.CONTRACTIONS, Region.TOTAL] if contractions else [])


def _work(layout: Layout) -> Work:
    program = layout.program
    nodes = program.nodes
    others = sum(8 * node.size for node in nodes if len(node.shape) == 1)
    shares = max(sweep.tiles for sweep in layout.sweeps) if layout.split_units else 0
    return Work(multiply_adds(program) + others, program.recurrent, shares)


def _contraction_work(contractions: Sequence[Contraction]) -> Work:
    total = sum(
        c.left.span.size * (1 if c.right is None or c.unitwise else c.right.span.size)
        for c in contractions
    )
    return Work(total, recurrent=False)
