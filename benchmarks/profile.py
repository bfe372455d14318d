"""Where a worker's time goes under load: a flame graph of its Python functions, and shares as tables.

    python -m benchmarks.profile
    python -m benchmarks.profile --messages 20000 --output docs/images/profile.svg

One worker, persona at once, every message a turn of its own. A sampling profiler (py-spy, ``requirements/bench.txt``)
looks at the process from outside, so the worker is the one that operators start. It sees the thread that holds the
interpreter lock, so other processes of a busy machine do not change the shares. System calls run without the lock: the
printed share of the kernel says how much of the CPU time that is. The profiler needs the right to trace the process:
root, or ``kernel.yama.ptrace_scope=0``.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.flame_graph import Stack, function_shares, own_shares, parse, svg
from benchmarks.leads import ONE_BY_ONE
from benchmarks.report import Table
from benchmarks.usage import kernel_seconds
from benchmarks.work import Work, work
from simulation.servers.system import RunningSystem

PICTURE = Path(__file__).absolute().parents[1] / "docs" / "images" / "profile.svg"

_TITLE = "Functions on the stack of the thread that holds the interpreter lock, while a worker takes turns"
_PER_SECOND = 250
_WARM_UP = 500
_FUNCTIONS = 30
_START_SECONDS = 30.0


class ProfilerFailed(RuntimeError):
    """The profiler did not record; its own words follow."""


def main() -> int:
    """Record, write the picture, print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--output", type=Path, default=PICTURE)
    options = parser.parse_args()
    stacks, done, kernel = _record(options.messages)
    options.output.write_text(svg(stacks, _TITLE))
    samples = sum(stack.count for stack in stacks)
    cost = f"each {done.worker_ms:.2f} ms of CPU, {kernel:.0%} in the kernel"
    print(f"{samples} samples in {options.messages} turns, {cost}\n")
    print(_table("innermost function of", own_shares(stacks)).markdown())
    print()
    print(_table("function of Parley, with all it calls", function_shares(stacks, "Parley")[:_FUNCTIONS]).markdown())
    return 0


def _record(messages: int) -> tuple[list[Stack], Work, float]:
    with RunningSystem(settings=ONE_BY_ONE) as system, tempfile.TemporaryDirectory(prefix="profile-") as directory:
        work(system, _WARM_UP)
        stacks, worker = Path(directory) / "stacks", [system.workers[0].pid]
        with _profiler(worker[0], stacks):
            before = kernel_seconds(worker)
            done = work(system, messages)
            in_kernel = kernel_seconds(worker) - before
        share = in_kernel / (done.worker_ms * messages / 1000)
        return parse(stacks.read_text().splitlines()), done, share


@contextmanager
def _profiler(pid: int, output: Path) -> Iterator[None]:
    program = Path(sys.executable).parent / "py-spy"
    if not program.exists():
        raise ProfilerFailed("py-spy is not installed: pip install --require-hashes -r requirements/bench.txt")
    # Without pausing the worker for each look: what is measured would change.
    options = ["--pid", str(pid), "--rate", str(_PER_SECOND), "--format", "raw", "--function", "--gil", "--nonblocking"]
    command = [str(program), "record", *options, "--output", str(output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as profiler:
        said = profiler.stdout.readline() if profiler.stdout else ""
        if "Sampling" not in said:
            raise ProfilerFailed(said + (profiler.stdout.read() if profiler.stdout else ""))
        try:
            yield
        finally:
            profiler.send_signal(signal.SIGINT)
            profiler.communicate(timeout=_START_SECONDS)


def _table(name: str, shares: Sequence[tuple[str, float]]) -> Table:
    return Table((name, "share"), [(f"`{what}`" if "(" in what else what, f"{share:.1%}") for what, share in shares])


if __name__ == "__main__":
    sys.exit(main())
