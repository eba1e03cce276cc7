"""Folders of safetensors and JSON: written whole or not at all, verified when read."""
