"""What a policy sees. Each observation is a kernel that writes float32 numbers into a row that is already there."""
