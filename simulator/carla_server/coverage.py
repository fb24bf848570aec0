"""How far each RPC method is served, for the documentation: `python -m simulator.carla_server.coverage`."""

from __future__ import annotations

from simulator.carla_server.methods import load_methods

_TITLES = {
    "episode": "episodes and time",
    "files": "files",
    "actors": "actors",
    "batch": "batches",
    "vehicles": "vehicles",
    "physics": "physics of vehicles",
    "walkers": "walkers",
    "lights": "traffic lights",
    "traffic_manager": "Traffic Manager",
    "sensors": "sensors",
    "world": "weather and debugging",
    "scenery": "scenery and rays",
    "components": "components and other engines",
    "recorder": "recorder",
}


def coverage_table() -> str:
    """Markdown: one row a method, by subject."""
    methods = load_methods().values()
    order = {group: k for k, group in enumerate(_TITLES)}
    rows = ["| method | | |", "|---|---|---|"]
    shown = ""
    for m in sorted(methods, key=lambda m: (order.get(m.group, len(order)), m.group)):
        if m.group != shown:
            shown = m.group
            rows.append(f"| **{_TITLES.get(m.group, m.group)}** | | |")
        rows.append(f"| `{m.name}` | {m.support.value} | {m.note} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(coverage_table())
