"""Training: PPO of stable-baselines3 on batches of route worlds. Torch is imported by the modules that use it only."""
