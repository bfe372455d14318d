"""The reference of the command is what Typer writes, made easier to read."""

from __future__ import annotations

from docs_build.command_reference import page, readable

WRITTEN = """\
# `parley`

Operate it.

**Usage**:

**Options**:

* `--help`: Show this message and exit.

**Commands**:

* `pause`: Start no further call...

## `parley pause`

Start no further call.

Example: parley pause ava --reason &quot;key rotation&quot;

**Options**:

* `--reason <str>`: Why.
* `--help`: Show this message and exit.
"""
READABLE = """\
Operate it.

**Usage**:

## `parley pause`

Start no further call.

```sh
parley pause ava --reason "key rotation"
```

**Options**:

* `--reason <str>`: Why.
"""


def test_examples_are_code_and_repeated_words_are_left_out():
    assert readable(WRITTEN).split() == READABLE.split()


def test_the_page_is_made_from_the_real_command():
    made = page()
    assert "## `parley explain`\n" in made
    assert "```sh\nparley explain ava @john_doe\n```" in made
    assert "### `parley dead replay`\n" in made
    assert "--help" not in made
