"""Which versions of Python are compared, and when the image has the best one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.other_pythons import find_python, python_of_the_image
from benchmarks.pythons import image_goal


@pytest.mark.parametrize(
    ("ratios", "reached"),
    [
        ({"3.11": 1.0, "3.12": 1.1, "3.13": 0.99}, True),
        ({"3.11": 1.0, "3.12": 1.1, "3.13": 0.9}, False),
        ({}, False),
    ],
)
def test_the_image_has_the_best_version_or_one_that_is_as_good(ratios: dict[str, float], reached: bool):
    assert image_goal(ratios, "3.11").reached is reached


def test_the_ratio_of_each_version_is_told():
    assert image_goal({"3.11": 1.0, "3.13": 0.8}, "3.11").measured == "1.25 x (3.11: 1.00 x, 3.13: 0.80 x)"


def test_the_version_of_the_image_is_one_of_python():
    assert python_of_the_image().startswith("3.")


def test_a_version_is_found_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    version = "{}.{}".format(*sys.version_info)
    (tmp_path / f"python{version}").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_python(version) == str(tmp_path / f"python{version}")


def test_a_command_that_only_has_the_name_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert find_python("3.99") is None
