"""Images: decode them, augment them for training, and draw sheets of them."""
