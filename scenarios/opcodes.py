"""Numbers of the vocabulary's words in compiled scripts; conditions come before commands."""

from __future__ import annotations

from enum import IntEnum


class Op(IntEnum):
    """What an instruction is. `scenarios/vocabulary.py` says what each means and which operands it has."""

    # conditions: the strand waits until they hold
    WAIT = 1
    NEAR = 2
    NEAR_PLACE = 3
    AWAY_FROM = 4
    ARRIVING = 5
    PASSED = 6
    DROVE = 7
    MEMBER_DROVE = 8
    MEMBER_STANDS = 9
    MEMBER_AHEAD = 10
    MEMBER_PASSED = 11
    LEFT_JUNCTION = 12
    FOREVER = 13
    CHASE = 14
    MEET_EGO = 15
    # commands: done at once
    RAISE = 50
    REMOVE = 51
    HOLD = 52
    WALK = 53
    FOLLOW = 54
    SET_SPEED = 55
    SET_LIGHTS = 56
    OPEN_DOOR = 57
    START_FLOW = 60
    END_FLOW = 61
    HOLD_LIGHTS = 62
    SET_LIGHT = 63
    RELEASE_LIGHTS = 64
    LEAVE_SPACE = 70
    CLOSE_LANE = 71
    REOPEN_LANE = 72
    CLEAR_JUNCTION = 73
    CLEAR_EGO_ENTRY = 74
    EXTEND_EXIT = 75
    FREE_JUNCTION = 76
    STOP_ENTRIES = 77
    ROUTE_SOURCES = 78
    ONCOMING = 79
    ONCOMING_SPACING = 80
    MAX_SPEED = 81
    EXTRA_SPACE = 82
    SPACING = 83
    STOP_AHEAD = 84
    STOP_BEHIND = 85
    LEAVE_CROSSING_SPACE = 86
    WRONG_DIRECTION_TEST = 90
    COUNT_COLLISIONS_TWICE = 91
    JUDGE_YIELDING = 92
    DISTURB_CONTROL = 93
    PLACE_EGO = 94
    END = 99


#: The first command; smaller numbers are conditions.
FIRST_COMMAND = 50
