"""Training on a corpus folder: it is read and verified here, the graph never."""
