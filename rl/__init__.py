"""Training: rollouts, advantages, losses and the recipes that are made of them."""
