"""What a target is: one class, several labels, numbers."""
