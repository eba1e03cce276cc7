"""Private names of other libraries, one module a library; nothing else in the package uses any."""
