"""Whether each promise held: order, overlap, loss."""
