"""Lets code of the Python 3.7 era run on today's Python: put first on the search path of a process that runs it.

What such code calls and newer Pythons no longer have is put back: the container classes in `collections`,
`Element.getchildren`, and lists from `Element.keys` and `Element.items`. Nothing of the code itself is changed, and
nothing at all on a Python that still has these.
"""

import collections
import collections.abc
import sys

if sys.version_info >= (3, 9):  # noqa: UP036 - it runs in the Python of others
    for _name in collections.abc.__all__:
        if not hasattr(collections, _name):
            setattr(collections, _name, getattr(collections.abc, _name))

    # Methods can be added to the element class written in Python only; the module takes it where the other is missing.
    sys.modules["_elementtree"] = None
    from xml.etree import ElementTree

    del sys.modules["_elementtree"]
    _Element = ElementTree.Element
    _keys, _items = _Element.keys, _Element.items
    _Element.getchildren = lambda self: list(self)
    _Element.keys = lambda self: list(_keys(self))
    _Element.items = lambda self: list(_items(self))
