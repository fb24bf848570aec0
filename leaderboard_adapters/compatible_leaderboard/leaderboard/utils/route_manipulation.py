"""Thinning out a dense route, by the leaderboard's rule."""

from agents.navigation.local_planner import RoadOption

_CHANGES = (RoadOption.CHANGELANELEFT, RoadOption.CHANGELANERIGHT)


def downsample_route(route, sample_factor):
    """Indices of the points that an agent is told of.

    The ends, lane changes, every point whose option is another than before (unless a lane change ends there), and one
    where more than `sample_factor` metres have passed since the last.
    """
    kept, before, travelled = [], None, 0.0
    for i, (place, option) in enumerate(route):
        if i:
            travelled += place.location.distance(route[i - 1][0].location)
        changed = option != before and before not in _CHANGES
        if not i or option in _CHANGES or changed or travelled > sample_factor or i == len(route) - 1:
            kept.append(i)
            travelled = 0.0
        before = option
    return kept
