"""Built-in backbones: transformers by name, folder or hub id, and hashed n-grams."""
