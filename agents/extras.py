"""What to install where a package of one of RouteGym's extras is missing."""

from __future__ import annotations

#: extra -> the packages it brings, as they are imported
EXTRAS = {
    "train": ("torch", "stable_baselines3", "tensorboard", "transformers", "peft", "safetensors"),
    "view": ("pygame", "av", "matplotlib"),
    "scale": ("ray",),
}


def install_hint(error: BaseException) -> str:
    """`: pip install ...` for a failed import of such a package, '' for everything else."""
    if not isinstance(error, ImportError):
        return ""
    package = (error.name or "").partition(".")[0]
    extra = next((extra for extra, packages in EXTRAS.items() if package in packages), "")
    return f": pip install 'routegym[{extra}]'" if extra else ""
