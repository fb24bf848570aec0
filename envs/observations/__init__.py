"""What a policy sees. `registry` lists the observations; each is a kernel that writes arrays."""
