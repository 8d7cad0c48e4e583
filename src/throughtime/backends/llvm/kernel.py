"""Compiled halves of a plan, as functions of addresses."""

import ctypes
import logging
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial

from throughtime.backends.llvm import meeting
from throughtime.backends.llvm.arguments import AGAIN, FIXED, FLAGS
from throughtime.backends.llvm.barrier import LINE, WORD_BYTES
from throughtime.backends.llvm.compile import Code, load, object_code
from throughtime.backends.llvm.edges import edges_of
from throughtime.backends.llvm.facts import Facts, facts_of
from throughtime.backends.llvm.layout import CHUNK
from throughtime.backends.llvm.module import (
    PACK_BODY,
    Region,
    Source,
    body_name,
    threads_word,
    write_module,
)
from throughtime.backends.llvm.object_cache import cached, version
from throughtime.backends.llvm.options import Settings
from throughtime.backends.llvm.profile import (
    EDGES,
    PACKING,
    region_names,
    timed,
    watching,
)
from throughtime.backends.llvm.rows import ONCE, Again, Rows, parts_of, sum_shift
from throughtime.backends.llvm.target import Target, host, matrices_permitted
from throughtime.backends.llvm.threads import OpenMP, give_up, run_in_pool
from throughtime.graph.programs import Plan

LOG = logging.getLogger(__name__)
SMALLEST_SHARE = 4_000_000
"""Multiply-adds that are worth another thread: some 70 µs, for one that sleeps needs as
long to wake."""
LEAST_PACKED = 100_000
"""Numbers of panels that are worth a thread, some 45 µs."""
PIECE = 16
"""Numbers; pieces of scratch memory begin on multiples of them."""


class Prepared:
    """A call that is made again and again with the same memory.

    The first call packs the weights, the others find them packed.
    """

    held: object = None
    """What owns the memory that the addresses lead to."""

    def __init__(self, run: Callable[[int], None], table: "array[int]") -> None:
        self._run, self._table = run, table
        self._address, _ = table.buffer_info()

    def __call__(self) -> None:
        self._run(self._address)
        self._table[AGAIN] = 1


class Kernel:
    """Programs and contractions of one half of a plan, compiled."""

    def __init__(
        self,
        facts: Facts,
        code: Code,
        region_names: Sequence[str],
        *,
        apart: bool,
    ) -> None:
        self._apart = apart
        self.facts = facts
        self._code = code
        self._run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code.address("run"))
        self._region_names = region_names
        self.thread_words = tuple(map(threads_word, range(len(facts.regions))))
        self._shares = lru_cache(maxsize=64)(partial(_shares, facts))

    def threads(self, rows: Rows, most: int) -> list[int]:
        """Threads of each region: no more than rows, none for too little work.

        A single sequence goes through the loop in one thread, or in all that share its
        units. The one keeps its rows if there is little to do for them and cores are
        far from each other.
        """
        found = self._shares(rows.total, rows.batch, self._parts_of(rows), most)
        alone = rows.batch == 1 < max(found) and not self.facts.splits
        if alone and self.facts.moves_rows and meeting.seconds_to_meet() > meeting.FAR:
            return [1] * len(found)
        return found

    def sum_rows(self, batch: int) -> int:
        """Rows of sums over all steps; one for each sequence if they stay apart."""
        return -(-batch // (1 << self._shift(batch)))

    def _shift(self, batch: int) -> int:
        return 0 if self._apart else sum_shift(batch)

    def _packers(self, threads: Sequence[int]) -> int:
        """Threads that pack panels: one for each `LEAST_PACKED`, or a single one."""
        worth = self.facts.panel_size // LEAST_PACKED if self.facts.packs_apart else 1
        return max(1, min(max(threads), worth))

    def _parts_of(self, rows: Rows) -> int:
        """Parts of the rows over which weight gradients are summed apart."""
        return 1 if self._apart else parts_of(rows.total, rows.batch, self.facts.sums)

    def workspace(self, rows: Rows, threads: int) -> int:
        """Numbers of memory for a call: panels, scratch, sums of all parts but one."""
        sums = (self._parts_of(rows) - 1) * self.facts.sums
        return self._behind_scratch(threads) + sums

    def _behind_scratch(self, threads: int) -> int:
        """Numbers up to the sums of parts, which begin on a line of the cache."""
        own = self.facts.panel_size + CHUNK * threads * self.facts.scratch_width
        return -(-own // PIECE) * PIECE

    def run(
        self,
        words: Sequence[int],
        rows: Rows,
        workspace: int,
        item_bytes: int,
        threads: list[int],
        library: OpenMP | None,
        again: Again = ONCE,
    ) -> None:
        """Compute.

        Parameters
        ----------
        words
            What each of ``facts.names`` stands for: an address, or for one of
            ``thread_words`` the number of its region's threads.
        rows
            Where the rows lie.
        workspace
            Address of as many numbers as `workspace` says, 64-byte aligned.
        item_bytes
            Size of one number.
        threads
            Of each region, as `threads` says.
        library
            Whose threads; None for those of a small pool.
        again
            What earlier calls with the same weights leave to this one.
        """
        table = self._table(words, rows, workspace, item_bytes, threads, library, again)
        address, _ = table.buffer_info()
        pooled = library is None and max(threads) > 1
        if watching():
            for name, part in self._pieces(address, threads, again, pooled=pooled):
                timed(name, part)
        elif pooled:
            for _, part in self._pieces(address, threads, again, pooled=True):
                part()
        else:
            self._run(address)

    def prepared(
        self,
        words: Sequence[int],
        rows: Rows,
        workspace: int,
        item_bytes: int,
        library: OpenMP | None,
    ) -> Prepared:
        """A call as of `run` by one thread, to be made again and again."""
        alone = [1] * len(self.facts.regions)
        table = self._table(words, rows, workspace, item_bytes, alone, library, ONCE)
        return Prepared(self._run, table)

    def _table(
        self,
        words: Sequence[int],
        rows: Rows,
        workspace: int,
        item_bytes: int,
        threads: list[int],
        library: OpenMP | None,
        again: Again,
    ) -> "array[int]":
        """All words that compiled code reads."""
        functions = (0, 0, 0)
        if library is not None:
            functions = (library.parallel, library.thread, library.team)
        fixed = [
            rows.steps,
            rows.batch,
            rows.total,
            rows.table,
            *functions,
            again.panels or workspace,
            workspace + self.facts.panel_size * item_bytes,
            rows.segments,
            rows.segment_count,
            0,
            give_up() or 0,
            rows.ends,
            rows.loads,
            again.packed,
            self._shift(rows.batch),
            self._packers(threads),
            self._parts_of(rows),
            workspace + self._behind_scratch(max(threads)) * item_bytes,
        ]
        assert len(fixed) == FIXED, "the table of arguments and its layout differ"
        table = array("q", (*fixed, *words))
        if self.facts.splits:
            # Flags of a barrier stand behind, each on a cache line of its own.
            words_end = len(table) * WORD_BYTES
            line = LINE * WORD_BYTES
            table.frombytes(bytes(line * (max(threads) + 1)))
            behind = table.buffer_info()[0] + words_end
            table[FLAGS] = -(-behind // line) * line
        return table

    def _pieces(
        self, address: int, counts: list[int], again: Again, *, pooled: bool
    ) -> Iterator[tuple[str, Callable[[], None]]]:
        """All that ``run`` does, one after the other, by name."""
        once = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
        shared = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        if not again.packed:
            pack = partial(once(self._code.address("region.pack")), address)
            if pooled:
                body = shared(self._code.address(PACK_BODY))
                packers = self._packers(counts)
                task = partial(_share, body, address, packers)
                pack = partial(run_in_pool, task, packers)
            yield PACKING, pack
        yield EDGES, partial(once(self._code.address("begin")), address)
        for region, (name, threads) in enumerate(
            zip(self._region_names, counts, strict=True)
        ):
            if not pooled:
                entry = once(self._code.address(f"region.{region}"))
                yield name, partial(entry, address)
                continue
            body = shared(self._code.address(body_name(region)))
            task = partial(_share, body, address, threads)
            yield name, partial(run_in_pool, task, threads)
        yield EDGES, partial(once(self._code.address("end")), address)


def _shares(facts: Facts, total: int, batch: int, parts: int, most: int) -> list[int]:
    """Threads of each region, for so many rows, sequences and parts of the rows."""
    found = []
    for work in facts.regions:
        if parts == 1 and (
            work.kind == Region.TOTAL
            or (work.kind == Region.CLEARING and facts.sums < LEAST_PACKED)
        ):
            found.append(1)
            continue
        several = work.per_row * total // SMALLEST_SHARE
        limit = work.shares or (batch if work.recurrent else total)
        found.append(max(1, min(most, several, limit)))
    return found


def _share(
    body: Callable[[int, int, int], None], address: int, threads: int, number: int
) -> None:
    """What one thread of a pool does."""
    body(address, number, threads)


def write_half(
    plan: Plan,
    backward: bool,
    widths: Mapping[str, int],
    settings: Settings,
    target: Target,
) -> Source:
    """LLVM IR of one half of a plan; arguments as of `compile_half`."""
    shapes = [plan.nodes[index].shape for index in plan.operands]
    return write_module(
        plan.backward if backward else plan.forward,
        plan.contractions if backward else (),
        edges_of(plan, backward=backward),
        widths,
        [shape[1] if len(shape) == 2 else 1 for shape in shapes],
        target,
        settings,
    )


def compile_half(
    plan: Plan,
    *,
    backward: bool,
    widths: Mapping[str, int],
    settings: Settings,
    target: Target | None = None,
) -> Kernel:
    """Compile the forward or the backward half of a plan.

    Parameters
    ----------
    plan
        The plan.
    backward
        Which half.
    widths
        Numbers from a row to the next one in all buffers, the caller's own included.
        Where δ are written over what is saved, as `overlay` says, as many as there.
    settings
        Numbers and ways.
    target
        The processor; by default the one this process runs on.
    """
    chosen = target or host()
    if settings.matrices(chosen) and not matrices_permitted():
        chosen = chosen.without_matrices()
    programs = plan.backward if backward else plan.forward
    contractions = plan.contractions if backward else ()
    shapes = [plan.nodes[index].shape for index in plan.operands]
    edges = edges_of(plan, backward=backward)

    def make() -> tuple[dict[str, object], bytes]:
        start = time.perf_counter()
        source = write_half(plan, backward, widths, settings, chosen)
        facts = Facts(
            names=source.names,
            panel_size=source.panel_size,
            scratch_width=source.scratch_width,
            regions=source.regions,
            sums=source.sums,
            row_bytes=sum(widths.values()) * settings.item_bytes,
            # A square of pairs may be packed past the last word of its tile.
            packs_apart=not settings.bfloat16 or settings.matrices(chosen),
        )
        code = object_code(source.text, chosen)
        half = "backward" if backward else "forward"
        seconds = time.perf_counter() - start
        LOG.info("%s: compiled %s in %.1f s", plan.graph.title, half, seconds)
        return facts.to_json(), code

    own = programs, contractions, edges, shapes, sorted(widths.items()), settings
    stored, code = cached(f"{own} {chosen.key} {version()}", make)
    found = facts_of(stored)
    names = region_names(programs, len(found.regions), backward=backward)
    return Kernel(found, load(code, chosen), names, apart=not contractions)
