"""The command line, ``sktransfer``."""
