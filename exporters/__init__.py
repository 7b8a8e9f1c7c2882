"""From a forest to files: the training corpus."""
