"""Built-in heads: outputs, losses and probabilities."""
