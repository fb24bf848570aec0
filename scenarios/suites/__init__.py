"""Built-in route files, and finding one by name."""

from __future__ import annotations

import difflib
from pathlib import Path

from simulator.errors import RouteFileError

_FOLDER = Path(__file__).resolve().parent


def list_suites(folder: Path = _FOLDER) -> list[str]:
    """Names of the built-in suites, sorted."""
    return sorted(path.stem for path in folder.glob("*.xml"))


def find_suite(name_or_path: str | Path, folder: Path = _FOLDER) -> Path:
    """The route file of a built-in suite, or the given path if it is a file.

    Args:
        name_or_path: a name that `list_suites` gives, or a path to a route file.
        folder: where the built-in suites are.

    Raises:
        RouteFileError: when it is neither; the message lists the names and suggests the nearest.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    names = list_suites(folder)
    name = str(name_or_path)
    if name in names:
        return folder / f"{name}.xml"
    if path.is_dir():
        raise RouteFileError(f"{name}: is a folder; name a route file in it")
    if path.suffix or len(path.parts) > 1:
        raise RouteFileError(f"{name}: no such route file; built-in suites: {', '.join(names) or 'none'}")
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise RouteFileError(f"suite '{name}' is unknown; {hint}Built-in suites: {', '.join(names) or 'none'}")
