"""Pictures: files, arrays and images of Pillow."""
