"""What ends a text early, and what may come next in it."""
