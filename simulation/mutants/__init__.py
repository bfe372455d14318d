"""Mutation tests of the core: one line is changed, and the tests of that line have to fail (docs/mutants.md)."""
