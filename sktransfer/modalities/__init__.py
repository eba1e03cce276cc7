"""What an input is: a text, a picture."""
