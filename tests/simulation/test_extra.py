"""Without the extra ``simulation`` its programs say what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

# What an interpreter without these packages does.
WITHOUT = (
    "import sys, runpy; "
    "[sys.modules.update({name: None}) for name in ('uvloop', 'uvicorn', 'starlette', 'python_multipart')]; "
    "import importlib.util as u; real = u.find_spec; "
    "u.find_spec = lambda name, *more: None if sys.modules.get(name, 0) is None else real(name, *more); "
    "module, sys.argv[1:] = sys.argv[1], []; runpy.run_module(module, run_name='__main__')"
)


@pytest.mark.parametrize("module", ["simulation", "simulation.demo", "simulation.chaos"])
def test_a_program_says_what_to_install_in_one_line(module):
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, module], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert f"python -m {module} needs uvicorn, uvloop" in ended.stderr
    assert "pip install 'parley-worker[simulation]'" in ended.stderr
