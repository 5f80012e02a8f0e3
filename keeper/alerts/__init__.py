"""What is worth telling, to whom, once."""
