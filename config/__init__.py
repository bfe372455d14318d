"""What an operator may set. The lowest floor: knows neither ``worker`` nor ``tasks``."""
