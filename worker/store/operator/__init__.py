"""What an operator changes in the store."""
