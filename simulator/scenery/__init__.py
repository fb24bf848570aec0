"""What stands in a town, as triangles: ground, paint, signals, dressing, and the models of all actors."""
