"""Words, decisions and rules: pure. No input or output, no clock, no client."""
