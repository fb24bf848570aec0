#!/usr/bin/env bash
# Installs Python with virtual environments on a Debian or Ubuntu image that has none, such as NVIDIA's.
set -euo pipefail

apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3 python3-venv ca-certificates
rm -rf /var/lib/apt/lists/*
