"""What a vision-language model is told: cameras, navigation command, ego state and history, and how it shall answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.policy import Rows

#: CARLA's road options in words.
COMMANDS = {
    1: "turn left at the junction",
    2: "turn right at the junction",
    3: "go straight at the junction",
    4: "follow the lane",
    5: "change to the left lane",
    6: "change to the right lane",
}

ANSWERS = {
    "tokens": "Answer with the action tokens of your trajectory.",
    "text": (
        "Answer with your trajectory: waypoints every half second as (ahead, right) in metres, "
        "such as (2.5, 0.1), (5.1, 0.3)."
    ),
    "regression": "Plan the trajectory of the next seconds.",
}
THINK = "First reason between <think> and </think>. "


def prompt_text(rows: Rows, k: int, answer: str, think: bool) -> str:
    """The words for observation `k`."""
    command = COMMANDS.get(int(rows["command"][k]), COMMANDS[4])
    speed, acceleration = float(rows["speed"][k]), float(rows["acceleration"][k])
    points = ", ".join(f"({x:.1f}, {y:.1f})" for x, y in np.asarray(rows["points"][k]))
    past = ", ".join(f"({x:.1f}, {y:.1f})" for x, y in np.asarray(rows["history"][k]))
    return (
        f"You drive a car. Navigation: {command}. Speed {speed:.1f} m/s, acceleration {acceleration:.1f} m/s2. "
        f"Route points ahead (ahead, right) in metres: {points}. Positions 1.5, 1.0 and 0.5 s ago: {past}. "
        + (THINK if think else "")
        + ANSWERS[answer]
    )


def messages(cameras: int, text: str) -> list[dict[str, Any]]:
    """One user turn with pictures first, as chat templates take it."""
    content: list[dict[str, str]] = [{"type": "image"} for _ in range(cameras)]
    return [{"role": "user", "content": [*content, {"type": "text", "text": text}]}]
