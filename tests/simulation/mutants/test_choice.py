"""The sample: by seed, spread over the files by their size, one mutant of a line."""

from __future__ import annotations

from functools import partial

from simulation.mutants.choice import everything, sample, shares
from simulation.mutants.mutant import Candidate, Mutant


def _made(file: str, line: int, kind: str) -> Mutant | None:
    return None if kind == "refused" else Mutant(file, line, kind, "before", kind, "source")


def lines(file: str, count: int) -> dict[int, list[Candidate]]:
    kinds = ("one", "refused", "two")
    return {
        number: [Candidate(file, number, kind, partial(_made, file, number, kind)) for kind in kinds]
        for number in range(1, count + 1)
    }


FILES = {"small.lua": lines("small.lua", 10), "large.lua": lines("large.lua", 90)}


def test_each_file_has_its_share_and_each_line_one_mutant():
    found = sample(FILES, 20, seed=1)
    assert sum(mutant.file == "small.lua" for mutant in found) == 2
    assert len({mutant.place for mutant in found}) == 20


def test_a_seed_chooses_the_same_again_and_another_one_others():
    assert sample(FILES, 20, seed=1) == sample(FILES, 20, seed=1)
    assert sample(FILES, 20, seed=1) != sample(FILES, 20, seed=2)


def test_a_sample_is_never_larger_than_what_there_is():
    assert len(sample(FILES, 1000, seed=1)) == 100
    assert len(everything(FILES)) == 200


def test_the_rest_goes_to_the_largest_remainders():
    assert shares({"a": 1, "b": 1, "c": 5}, 4) == {"a": 1, "b": 0, "c": 3}
