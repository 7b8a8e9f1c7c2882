"""The two sides of a corpus: what trains a model, and what validates it.

Trees that say nearly the same are a family (`exporters.families`), and a family is on one side as a
whole: else a model would be tested on what it was trained on.
"""

TRAIN, VALIDATION = "train", "validation"
