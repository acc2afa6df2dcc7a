"""From a trained network and clips to predictions, and looking into networks."""
