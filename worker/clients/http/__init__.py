"""HTTP over connections that report what surely was not sent."""
