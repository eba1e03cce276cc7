"""Features of an encoder that does not train: computed once, in batches of similar length."""
