"""``make docs``: the docs site, and the checks that it has to pass."""
