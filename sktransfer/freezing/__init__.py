"""Built-in freeze strategies: pure functions of block names, without torch."""
