"""The tasks: one class, several labels, or numbers for each row."""
