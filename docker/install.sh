#!/usr/bin/env bash
# Installs RouteGym into a virtual environment and compiles its kernels: the steps of all images.
#
#   docker/install.sh VENV [EXTRAS]       such as: docker/install.sh /opt/routegym view,train
#
# PYTHON chooses the interpreter (3.10 to 3.12). CARLA_VERSION replaces CARLA's client, which must be of the server's
# version; 0.9.15 needs Python 3.10. Compiled kernels go to ROUTEGYM_CACHE; WARM=0 leaves them to the first run.
set -euo pipefail

venv="${1:?usage: docker/install.sh VENV [EXTRAS]}"
extras="${2:-}"
source="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --no-cache-dir --editable "$source${extras:+[$extras]}"
if [[ -n "${CARLA_VERSION:-}" ]]; then
    "$venv/bin/python" -m pip install --quiet --no-cache-dir "carla==$CARLA_VERSION"
fi
if [[ "${WARM:-1}" == 1 ]]; then
    cd "$source"
    "$venv/bin/python" -m envs.warmup
fi
