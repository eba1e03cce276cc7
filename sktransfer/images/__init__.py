"""Pictures: reading them, and changing them for training."""
