"""Game time of the drive under way."""

import datetime


class GameTime:
    """Set by the process that hosts the agent."""

    _frame = 0
    _time = 0.0

    @staticmethod
    def get_frame():
        """Number of the tick."""
        return GameTime._frame

    @staticmethod
    def get_time():
        """Seconds since the start of the route."""
        return GameTime._time

    @staticmethod
    def get_wallclocktime():
        """Date and time of the machine."""
        return datetime.datetime.now()
