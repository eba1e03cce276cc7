"""The only room that runs a training loop."""
