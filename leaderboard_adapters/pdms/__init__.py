"""PDMS and EPDMS: how good four seconds of driving are, as NAVSIM 1.1 and 2.2 define it.

`aggregate` weighs sub-scores, `progress` pairs them with a reference, `simulate` turns a plan into states, `score`
judges states against the road and everybody else's boxes. docs/environments.md says where a town of lanes differs from
NAVSIM's polygons.
"""

from leaderboard_adapters.pdms.aggregate import SubScores, epdms, pdms
from leaderboard_adapters.pdms.progress import ego_progress

__all__ = ["SubScores", "ego_progress", "epdms", "pdms"]
