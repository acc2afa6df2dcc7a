"""From a part of a corpus to a trained network: batches, augmentation, recipe, loop."""
