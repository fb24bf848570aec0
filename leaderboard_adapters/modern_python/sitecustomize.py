"""Lets code of the Python 3.7 era run on today's Python: put first on the search path of a process that runs it.

What such code calls and newer Pythons no longer have is put back: the container classes in `collections`,
`Element.getchildren`, and lists from `Element.keys` and `Element.items`. Nothing of the code itself is changed.
"""

import collections
import collections.abc
import sys

for _name in collections.abc.__all__:
    if not hasattr(collections, _name):
        setattr(collections, _name, getattr(collections.abc, _name))

# Methods can be added to the element class written in Python only; the module takes it where the other one is missing.
sys.modules["_elementtree"] = None  # type: ignore[assignment]
from xml.etree import ElementTree  # noqa: E402

del sys.modules["_elementtree"]
_Element = ElementTree.Element

if not hasattr(_Element, "getchildren"):
    _Element.getchildren = lambda self: list(self)  # type: ignore[attr-defined]
    _keys, _items = _Element.keys, _Element.items
    _Element.keys = lambda self: list(_keys(self))  # type: ignore[assignment,method-assign]
    _Element.items = lambda self: list(_items(self))  # type: ignore[assignment,method-assign]
