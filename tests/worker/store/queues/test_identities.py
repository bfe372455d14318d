"""Ids that no other thread and no other process makes."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from worker.store.queues.identities import new_id

FORKS = """
import os
from worker.store.queues.identities import new_id
new_id()
for _ in range(3):
    if os.fork() == 0:
        os.write(1, f"{new_id()}\\n".encode())
        os._exit(0)
    os.wait()
print(new_id())
"""


def test_threads_get_different_ones_of_version_4():
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_id(), range(20_000)))
    assert len(set(made)) == len(made)
    assert {one.version for one in made} == {4}


def test_forks_and_their_parent_get_different_ones():
    made = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    assert len(set(made.stdout.split())) == 4


def test_the_seed_of_a_program_has_no_influence():
    random.seed(7)
    first = new_id()
    random.seed(7)
    assert new_id() != first
