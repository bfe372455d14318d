"""Which mutants are tried: a sample by seed, half of it Lua and half Python, spread over the files by their size."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from simulation.mutants import lua, python
from simulation.mutants.mutant import Candidate, Mutant

Item = TypeVar("Item")
Lines = Mapping[int, Sequence[Candidate]]


def candidates(root: Path, folders: Iterable[str]) -> dict[str, dict[int, list[Candidate]]]:
    """What can be changed in the files below these folders of the project: by file and line."""
    found: dict[str, dict[int, list[Candidate]]] = {}
    for path in sorted(path for folder in folders for path in (root / folder).rglob("*")):
        made_by = {".lua": lua.candidates_of, ".py": python.candidates_of}.get(path.suffix)
        if made_by is None:
            continue
        file = path.relative_to(root).as_posix()
        by_line: dict[int, list[Candidate]] = defaultdict(list)
        for candidate in made_by(file, path.read_text(encoding="utf-8")):
            by_line[candidate.line].append(candidate)
        if by_line:
            found[file] = dict(by_line)
    return found


def sample(files: Mapping[str, Lines], size: int, seed: int) -> list[Mutant]:
    """``size`` mutants, each of another line; fewer when there are fewer lines. The same for the same seed."""
    found: list[Mutant] = []
    for file, share in shares({file: len(lines) for file, lines in files.items()}, size).items():
        made = (_one_of(files[file][line], seed) for line in _shuffled(files[file], seed, file))
        found += islice((mutant for mutant in made if mutant), share)
    return _shuffled(found, seed, "all")


def everything(files: Mapping[str, Lines]) -> list[Mutant]:
    """All mutants of these files, none twice, line by line."""
    made = (candidate.make() for lines in files.values() for line in sorted(lines) for candidate in lines[line])
    return list({mutant.key: mutant for mutant in made if mutant}.values())


def shares(sizes: Mapping[str, int], size: int) -> dict[str, int]:
    """How many mutants each file gets: in proportion to its lines, the rest to the largest remainders."""
    total = sum(sizes.values())
    size = min(size, total)
    exact = {file: size * lines / total for file, lines in sizes.items()}
    given = {file: int(share) for file, share in exact.items()}
    by_remainder = sorted(exact, key=lambda file: (given[file] - exact[file], file))
    for file in by_remainder[: size - sum(given.values())]:
        given[file] += 1
    return given


def _one_of(candidates: Sequence[Candidate], seed: int) -> Mutant | None:
    # Each kind has the same chance: a line has more numbers than conditions.
    by_kind: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_kind[candidate.kind].append(candidate)
    place = f"{candidates[0].file}:{candidates[0].line}"
    made = (
        candidate.make()
        for kind in _shuffled(sorted(by_kind), seed, place)
        for candidate in _shuffled(by_kind[kind], seed, f"{place} {kind}")
    )
    return next((mutant for mutant in made if mutant), None)


def _shuffled(items: Iterable[Item], seed: int, name: str) -> list[Item]:
    found = list(items)
    random.Random(f"{seed} {name}").shuffle(found)
    return found
