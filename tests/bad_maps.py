"""A small sound map, and one malformed map for every kind of defect that CARLA's parser dies on or misreads.

The sound map: road 1 (two lane sections, two-way) leads into junction 5; connecting roads 2 (straight on) and 3 (left
turn) lead to roads 4 and 6, road 7 leads back from road 4. A traffic light with its controller, a stop sign with its
stencil, a crosswalk, a speed object.
"""

from __future__ import annotations

from typing import NamedTuple

ZEBRA = (
    '<outline><cornerLocal u="-1.5" v="-4" z="0"/><cornerLocal u="1.5" v="-4" z="0"/>'
    '<cornerLocal u="1.5" v="4" z="0"/><cornerLocal u="-1.5" v="4" z="0"/><cornerLocal u="-1.5" v="-4" z="0"/>'
    "</outline>"
)


def lane(number: int, kind: str = "driving", before: int | None = None, after: int | None = None) -> str:
    """A `<lane>` 3.5 m wide; `before` and `after` are the lane ids it is linked to along the road's s."""
    links = "" if before is None else f'<predecessor id="{before}"/>'
    links += "" if after is None else f'<successor id="{after}"/>'
    return (
        f'<lane id="{number}" type="{kind}" level="false"><link>{links}</link>'
        '<width sOffset="0" a="3.5" b="0" c="0" d="0"/>'
        '<roadMark sOffset="0" type="solid" weight="standard" color="white" width="0.12" laneChange="none"/></lane>'
    )


def section(s: float, left: str, right: str) -> str:
    """A `<laneSection>` with a broken centre line."""
    mark = '<roadMark sOffset="0" type="broken" weight="standard" color="yellow" width="0.12" laneChange="both"/>'
    return (
        f'<laneSection s="{s:g}">'
        + (f"<left>{left}</left>" if left else "")
        + f'<center><lane id="0" type="none" level="false">{mark}</lane></center>'
        + (f"<right>{right}</right>" if right else "")
        + "</laneSection>"
    )


def road(
    number: int,
    geometry: str,
    length: float,
    lanes: str,
    link: str = "",
    junction: int = -1,
    extra: str = "",
) -> str:
    """A `<road>` of one geometry, given as `x y hdg shape`."""
    x, y, heading, shape = geometry.split(" ", 3)
    return (
        f'<road name="r{number}" length="{length:g}" id="{number}" junction="{junction}"><link>{link}</link>'
        '<type s="0" type="town"><speed max="50" unit="km/h"/></type>'
        f'<planView><geometry s="0" x="{x}" y="{y}" hdg="{heading}" length="{length:g}">{shape}</geometry></planView>'
        '<elevationProfile><elevation s="0" a="0" b="0" c="0" d="0"/></elevationProfile>'
        f"<lanes>{lanes}</lanes>{extra}</road>\n"
    )


def _good_map() -> str:
    signals = (
        '<signals><signal s="98" t="-5" id="70" name="Light" dynamic="yes" orientation="+" zOffset="0" hOffset="0" '
        'country="OpenDRIVE" type="1000001" subtype="-1" value="-1"><validity fromLane="0" toLane="0"/></signal>'
        "</signals>"
    )
    stop = (
        '<signals><signal s="3" t="5" id="71" name="Sign_Stop" dynamic="no" orientation="-" hOffset="3.14159" '
        'country="OpenDRIVE" type="206" subtype="-1" value="-1"><validity fromLane="1" toLane="1"/></signal></signals>'
    )
    refer = (
        '<signals><signalReference s="0.1" t="0" id="70" orientation="-"><validity fromLane="-1" toLane="-1"/>'
        "</signalReference></signals>"
    )
    objects = (
        '<objects><object id="80" name="SolidZebra" s="94" t="0" zOffset="0" hdg="0" orientation="-" '
        f'type="crosswalk" width="3" length="8">{ZEBRA}</object>'
        '<object id="81" name="Speed_30" s="20" t="-5" zOffset="0" orientation="+" type="-1"/>'
        "</objects>"
    )
    stencil = (
        '<objects><object id="82" name="Stencil_STOP" s="4" t="1.7" zOffset="0" hdg="0" orientation="-" type="-1" '
        'width="2" length="3"/></objects>'
    )
    two_sections = section(0, lane(1, after=1), lane(-1, after=-1) + lane(-2, "sidewalk", after=-2)) + section(
        50, lane(1, before=1), lane(-1, before=-1) + lane(-2, "sidewalk", before=-2)
    )
    both = section(0, lane(1), lane(-1))
    to_junction = '<successor elementType="junction" elementId="5"/>'
    from_junction = '<predecessor elementType="junction" elementId="5"/>'

    def through(exit_road: int) -> str:
        return (
            '<predecessor elementType="road" elementId="1" contactPoint="end"/>'
            f'<successor elementType="road" elementId="{exit_road}" contactPoint="start"/>'
        )

    back = (
        '<predecessor elementType="road" elementId="4" contactPoint="start"/>'
        '<successor elementType="road" elementId="1" contactPoint="end"/>'
    )
    one = section(0, "", lane(-1, before=-1, after=-1))
    one_back = section(0, "", lane(-1, before=1, after=1))
    roads = (
        road(1, "0 0 0 <line/>", 100, two_sections, to_junction, extra=objects + signals)
        + road(2, "100 0 0 <line/>", 20, one, through(4), 5, refer)
        + road(3, '100 0 0 <arc curvature="0.05"/>', 31.4159, one, through(6), 5, refer)
        + road(4, "120 0 0 <line/>", 60, both, from_junction, extra=stencil + stop)
        + road(6, "120 20 1.570796 <line/>", 40, section(0, "", lane(-1)), from_junction)
        + road(7, "120 0 3.14159265 <line/>", 20, one_back, back, 5)
    )
    connections = "".join(
        f'<connection id="{n}" incomingRoad="{a}" connectingRoad="{b}" contactPoint="start">'
        f'<laneLink from="{lane_from}" to="-1"/></connection>'
        for n, (a, b, lane_from) in enumerate([(1, 2, -1), (1, 3, -1), (4, 7, 1)])
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<OpenDRIVE><header revMajor="1" revMinor="4" name="small" version="1">'
        "<geoReference><![CDATA[+proj=tmerc +lat_0=49.5 +lon_0=8.25 +units=m]]></geoReference></header>\n"
        + roads
        + '<controller name="c" id="90" sequence="0"><control signalId="70" type="0"/></controller>\n'
        + f'<junction id="5" name="j">{connections}<controller id="90" type="0" sequence="0"/></junction>\n'
        + "</OpenDRIVE>\n"
    )


GOOD_MAP = _good_map()


class BadMap(NamedTuple):
    """The sound map with `find` replaced by `put` (once), and words that the message must hold."""

    name: str
    find: str
    put: str
    place: str  # element that the message names
    wrong: str  # what it says is wrong
    mend: str  # what it tells to do


_PLAN_1 = '<geometry s="0" x="0" y="0" hdg="0" length="100"><line/></geometry>'
_LANES_1 = '<laneSection s="0"><left>'
_SUCCESSOR = '<successor id="-1"/></link>'

DEFECTS = [
    # kills the process
    BadMap("no plan view", f"<planView>{_PLAN_1}</planView>", "", "road 1", "no <planView>", "reference line"),
    BadMap("empty plan view", _PLAN_1, "", "road 1", "no <planView>", "reference line"),
    BadMap("geometry without shape", "<line/>", "", "road 1", "holds nothing", "use one of line"),
    BadMap("geometry of unknown shape", "<line/>", "<clothoid/>", "road 1", "holds <clothoid>", "use one of line"),
    BadMap("geometry begins late", '<geometry s="0" x="0"', '<geometry s="5" x="0"', "road 1", "begins at s=5", "s=0"),
    BadMap(
        "lane link to nowhere", _SUCCESSOR, '<successor id="-7"/></link>', "lane -1", '"-7" does not exist', "correct"
    ),
    BadMap(
        "lane link to nowhere in the next road",
        '<predecessor id="-1"/><successor id="-1"/>',
        '<predecessor id="-1"/><successor id="-9"/>',
        "road 2, section s=0, lane -1",
        'successor lane "-9" does not exist in road 4',
        "correct the id",
    ),
    BadMap(
        "lane goes on unlinked", _SUCCESSOR, "</link>", "lane -1", "no successor link", '<link><successor id="-1"/>'
    ),
    BadMap(
        "reference to no signal",
        's="0.1" t="0" id="70"',
        's="0.1" t="0" id="7"',
        "signalReference 7",
        "no signal",
        "id",
    ),
    BadMap(
        "controller of no signal", 'signalId="70"', 'signalId="7"', "controller 90", 'signal "7", which does not', "id"
    ),
    BadMap(
        "lane offset begins late", _LANES_1, '<laneOffset s="5" a="1"/>' + _LANES_1, "road 1", "begin at s=5", "s=0"
    ),
    BadMap("part of no junction", 'id="2" junction="5"', 'id="2" junction="77"', "road 2", 'junction "77"', "write -1"),
    BadMap(
        "no junction attribute", ' id="4" junction="-1"', ' id="4"', "road 4", "reads as junction 0", 'junction="-1"'
    ),
    BadMap(
        "lane link against the traffic",
        '<predecessor id="1"/></link>',
        '<predecessor id="-1"/></link>',
        "section s=50, lane 1",
        "predecessor lane -1 of road 1, section s=0 runs the other way",
        "take the link out",
    ),
    # raises an exception that names no place
    BadMap("road of no length", 'length="100" id="1"', 'length="0" id="1"', "road 1", "length 0 is not", "geometries"),
    BadMap("road of negative length", 'length="60" id="4"', 'length="-5" id="4"', "road 4", "length -5", "geometries"),
    BadMap("length is a word", 'length="60" id="4"', 'length="long" id="4"', "road 4", '"long" is not', "a number"),
    BadMap(
        "section beyond the road", 's="50"', 's="200"', "section s=200", "outside the road (length 100)", "on the road"
    ),
    BadMap("section before the road", 's="50"', 's="-50"', "section s=-50", "outside the road", "on the road"),
    BadMap("sections of one s", 's="50"', 's="0"', "section s=0", "the same s", "take one out"),
    BadMap("first section begins late", _LANES_1, '<laneSection s="9"><left>', "s=9", "does not begin at s=0", "begin"),
    BadMap(
        "signal before the road", '<signal s="98"', '<signal s="-5"', "signal 70", "before its road", "from 0 to 100"
    ),
    BadMap("signal nowhere", '<signal s="98"', '<signal s="nan"', "signal 70", '"nan" is not a finite', "a number"),
    BadMap(
        "reference before the road",
        '<signalReference s="0.1"',
        '<signalReference s="-1"',
        "signalReference 70",
        "s=-1",
        "0",
    ),
    BadMap(
        "unknown connecting road", 'connectingRoad="2"', 'connectingRoad="99"', "junction 5", '"99" does not', "correct"
    ),
    BadMap(
        "lane ids with a gap",
        '<lane id="-2" type="sidewalk"',
        '<lane id="-3" type="sidewalk"',
        "road 1",
        "leave out -2",
        "gaps",
    ),
    BadMap(
        "no centre lane",
        '<center><lane id="0" type="none"',
        '<center><lane id="9" type="none"',
        "road 1",
        "no centre",
        "add",
    ),
    BadMap(
        "speed object of no speed",
        'name="Speed_30"',
        'name="Speed_abc"',
        'object 81 "Speed_abc"',
        "no number",
        "Speed_30",
    ),
    BadMap("stencil before the road", 's="4" t="1.7"', 's="-4" t="1.7"', "object 82", "before its road", "0 to 60"),
    BadMap("bad latitude", "+lat_0=49.5", "+lat_0=x", "<geoReference>", '+lat_0="x"', "degrees"),
    BadMap("position is no number", 'x="120" y="0"', 'x="nan" y="0"', "road 4", '"nan" is not a finite', "a number"),
    BadMap("crosswalk nowhere", 's="94"', 's="inf"', "object 80", '"inf" is not', "a number"),
    BadMap("heading is no number", 'hOffset="0"', 'hOffset="inf"', "signal 70", 'hOffset "inf"', "a number"),
    BadMap("endless geometry", 'hdg="0" length="60"', 'hdg="0" length="inf"', "road 4", '"inf" is not', "a number"),
    BadMap("arc of curvature 0", 'curvature="0.05"', 'curvature="0"', "road 3", "curvature 0", "<line/>"),
    BadMap("arc of no curvature", ' curvature="0.05"', "", "road 3", "curvature is missing", "a number"),
    BadMap(
        "spiral that does not change",
        '<arc curvature="0.05"/>',
        '<spiral curvStart="0.05" curvEnd="0.05"/>',
        "road 3",
        "constant curvature 0.05",
        "use <arc/>",
    ),
    BadMap(
        "paramPoly3 that does not move",
        '<arc curvature="0.05"/>',
        '<paramPoly3 pRange="normalized"/>',
        "road 3",
        "does not move",
        "coefficients",
    ),
    BadMap("width is no number", 'a="3.5"', 'a="nan"', "lane 1", '<width> a "nan"', "a number"),
    BadMap(
        "widths begin late", '<width sOffset="0"', '<width sOffset="5"', "lane 1", "begin at sOffset=5", "sOffset=0"
    ),
    BadMap("elevation begins late", '<elevation s="0"', '<elevation s="10"', "road 1", "begin at s=10", "begin at s=0"),
    BadMap(
        "elevation is no number", '<elevation s="0" a="0"', '<elevation s="0" a="up"', "road 1", '"up" is not', "number"
    ),
    # reads another map without a word
    BadMap("road id is a word", ' id="4" junction', ' id="main" junction', "road main", 'id "main" is not', "number"),
    BadMap(
        "road id too large", ' id="4" junction', ' id="99999999999" junction', "road 99999999999", "is not", "number"
    ),
    BadMap("negative road id", ' id="4" junction', ' id="-4" junction', "road -4", 'id "-4" is not a whole', "number"),
    BadMap("two roads of one id", ' id="4" junction', ' id="6" junction', "road 6", "CARLA merges the two", "anew"),
    BadMap("junction id is a word", '<junction id="5"', '<junction id="x"', "junction x", 'id "x" is not', "number"),
    BadMap(
        "unknown incoming road", 'incomingRoad="4"', 'incomingRoad="44"', "junction 5", 'incomingRoad "44"', "correct"
    ),
    BadMap(
        "laneLink from no lane",
        '<laneLink from="-1"',
        '<laneLink from="-4"',
        "connection 0",
        "road 1 has no such",
        "id",
    ),
    BadMap(
        "laneLink to no lane", 'from="1" to="-1"', 'from="1" to="-3"', "connection 2", "road 7 has no such lane", "id"
    ),
    BadMap(
        "successor road missing",
        'elementId="4" contactPoint',
        'elementId="44" contactPoint',
        "road 2",
        '"44"',
        "correct",
    ),
    BadMap(
        "successor junction missing",
        '<successor elementType="junction" elementId="5"/>',
        '<successor elementType="junction" elementId="55"/>',
        "road 1",
        'successor junction "55" does not exist',
        "correct the id",
    ),
    BadMap("no contact point", ' contactPoint="end"/>', "/>", "road 2", 'contactPoint "None"', "start or end"),
    BadMap(
        "lane id is a word", '<lane id="1"', '<lane id="a"', "road 1, section s=0", '"a" is no whole number', "number"
    ),
    BadMap("lane without id", '<lane id="1"', "<lane", "road 1, section s=0", "a lane without id", "number lanes"),
    BadMap("two lanes of one id", '<lane id="-2"', '<lane id="-1"', "road 1", "two lanes have the id -1", "outward"),
    BadMap(
        "border in place of width", '<width sOffset="0"', '<border sOffset="0"', "lane 1", "ignores <border>", "<width>"
    ),
    BadMap(
        "no width", '<width sOffset="0" a="3.5" b="0" c="0" d="0"/>', "", "lane 1", "without <width>", "write its width"
    ),
    BadMap("negative width", 'a="3.5"', 'a="-3.5"', "lane 1", "width -3.5 m is negative", "coefficients"),
    BadMap(
        "two signals of one id", 'id="71" name="Sign_Stop"', 'id="70" name="Sign_Stop"', "signal 70", "same id", "own"
    ),
    BadMap("negative geometry", 'hdg="0" length="60"', 'hdg="0" length="-60"', "road 4", "of length -60", "positive"),
    BadMap("lanes in two lists", "</left><center>", "</left><left></left><center>", "road 1", "second <left>", "first"),
    BadMap("geometries too short", 'hdg="0" length="60"', 'hdg="0" length="40"', "road 4", "end at s=40", "length"),
    BadMap("lane as wide as a town", 'a="3.5" b="0"', 'a="3.5" b="9"', "lane 1", "too large", "coefficients"),
    BadMap(
        "road into the sky",
        '<elevation s="0" a="0" b="0"',
        '<elevation s="0" a="0" b="999"',
        "road 1",
        "reach",
        "coeff",
    ),
    BadMap(
        "validity of a million lanes", 'toLane="1"', 'toLane="1000000"', "signal 71", "to lane 1000000", "name lanes"
    ),
    BadMap("no lane section", section(0, lane(1), lane(-1)), "", "road 4", "no <laneSection>", "give the road lanes"),
]

WARNINGS = [
    BadMap("no geo reference", "+proj=tmerc +lat_0=49.5 +lon_0=8.25 +units=m", "", "<header>", "latitude 42", "lat_0"),
    BadMap("unknown lane type", 'type="sidewalk"', 'type="walking"', "lane -2", 'lane type "walking"', "driving"),
    BadMap("mark of unknown type", 'type="solid"', 'type="wavy"', "lane 1", 'roadMark type "wavy"', "solid"),
    BadMap("mark without laneChange", ' laneChange="none"', "", "lane 1", "without laneChange", "laneChange="),
    BadMap(
        "lane on the wrong side",
        section(0, "", lane(-1)),
        section(0, "", lane(-1)).replace("right>", "left>"),
        "lane -1",
        "stands in <left>",
        "<right>",
    ),
    BadMap(
        "signal beyond the road", '<signal s="98"', '<signal s="500"', "signal 70", "beyond its road", "on the road"
    ),
    BadMap("no validity", '<validity fromLane="1" toLane="1"/>', "", "signal 71", "positive lanes", "<validity"),
    BadMap(
        "validity of no lane",
        'fromLane="1" toLane="1"',
        'fromLane="1" toLane="4"',
        "signal 71",
        "does not have",
        "lanes",
    ),
    BadMap(
        "sign for no lane", 'fromLane="1" toLane="1"', 'fromLane="0" toLane="0"', "signal 71", "no lane", "validity"
    ),
    BadMap(
        "unknown junction controller", '<controller id="90"', '<controller id="9"', "junction 5", '"9" does', "correct"
    ),
    BadMap("crosswalk without outline", ZEBRA, "", "object 80", "without <outline>", "directly"),
    BadMap(
        "crosswalk in outlines", ZEBRA, f"<outlines>{ZEBRA}</outlines>", "object 80", "stands in <outlines>", "directly"
    ),
    BadMap(
        "open crosswalk",
        '<cornerLocal u="-1.5" v="-4" z="0"/></outline>',
        "</outline>",
        "object 80",
        "is not closed",
        "repeat its first",
    ),
    BadMap(
        "speed is a word", "</lane></left>", '<speed sOffset="0" max="fast"/></lane></left>', "lane 1", '"fast"', "one"
    ),
    BadMap(
        "speed without unit",
        "</lane></left>",
        '<speed sOffset="0" max="50"/></lane></left>',
        "lane 1",
        "as m/s",
        "km/h",
    ),
]

NOT_A_MAP = [
    ("empty text", ""),
    ("no XML", "hello <world"),
    ("cut off", GOOD_MAP[: len(GOOD_MAP) // 2]),
    ("other XML", "<a/>"),
    ("prefixed root", GOOD_MAP.replace("OpenDRIVE>", "od:OpenDRIVE>").replace("<od:", "<od:", 1)),
    ("no roads", "<OpenDRIVE></OpenDRIVE>"),
    ("no driving lanes", GOOD_MAP.replace('type="driving"', 'type="sidewalk"')),
]


def spoil(bad: BadMap) -> str:
    """The sound map with one defect."""
    assert bad.find in GOOD_MAP, f"{bad.name}: the sound map has no {bad.find}"
    return GOOD_MAP.replace(bad.find, bad.put, 1)
