"""What to say when somebody asks for a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def unknown_name(what: str, name: object, known: Iterable[str]) -> str:
    """A message with the nearest known name, and all of them: "no reward 'carel'; did you mean 'carl'? Known: ..."."""
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"no {what} {name!r}{hint} Known: {', '.join(names)}"
