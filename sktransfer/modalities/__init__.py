"""The built-in modalities: texts and images."""
