"""Print the tables of docs/sensors.md: every attribute of every sensor, and what the leaderboard fixes.

python -m simulator.sensors
"""

from __future__ import annotations

from simulator.sensors.catalogue import SENSOR_TYPES, Attribute, Value
from simulator.sensors.leaderboard_presets import PRESETS


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _row(sensors: str, attribute: Attribute) -> str:
    cells = (sensors, f"`{attribute.name}`", attribute.type, _text(attribute.default), attribute.unit, attribute.range)
    return f"| {' | '.join(cells)} |"


def attribute_table() -> str:
    """Markdown: attributes, those that several sensors share in one row."""
    shared: dict[tuple[str, Attribute], list[str]] = {}
    for kind in SENSOR_TYPES.values():
        for attribute in kind.attributes.values():
            shared.setdefault((attribute.name, attribute), []).append(kind.id.removeprefix("sensor."))
    rows = []
    for (_, attribute), sensors in shared.items():
        cameras = [s for s in sensors if s.startswith("camera.")]
        names = sensors if len(cameras) < 4 else ["camera.*"] + [s for s in sensors if s not in cameras]
        rows.append(
            _row("all but the pseudo sensors" if attribute.name == "role_name" else ", ".join(names), attribute)
        )
    return "\n".join(["| sensor | attribute | type | default | unit | allowed |", "|---|---|---|---|---|---|", *rows])


def preset_table() -> str:
    """Markdown: what the leaderboard fixes."""
    rows = [
        f"| `{kind}` | {', '.join(f'`{n}` {_text(v)}' for n, v in preset.items()) or 'nothing'} |"
        for kind, preset in PRESETS.items()
    ]
    return "\n".join(["| sensor | fixed by the leaderboard |", "|---|---|", *rows])


if __name__ == "__main__":
    print(attribute_table(), preset_table(), sep="\n\n")
