"""Every error that RouteGym raises on purpose, in one flat module.

Each message says what was wrong, where (file, element, route id, line), and what to do about it.
`RouteGymError` is what a command catches to end with one clear line instead of a traceback.
"""


class RouteGymError(Exception):
    """Base of all errors that are meant for people."""


class MapError(RouteGymError):
    """Raised when an OpenDRIVE map is malformed, or cannot be read by CARLA's parser."""


class MissingMapError(RouteGymError):
    """Raised when a route needs a town whose map is not available."""


class RouteFileError(RouteGymError):
    """Raised when a route file is malformed."""


class RouteError(RouteGymError):
    """Raised when a route cannot be laid on its town (off the road, no connection)."""


class ScenarioError(RouteGymError):
    """Raised when a scenario is unknown, or cannot be placed where its route asks for it."""


class ResultFileError(RouteGymError):
    """Raised when a result file is malformed or truncated."""


class AgentError(RouteGymError):
    """Raised when an agent is unknown or cannot be set up."""


class WorldCapacityError(RouteGymError):
    """Raised when a town or route needs more room than a world record has."""


class EvaluationError(RouteGymError):
    """Raised when an evaluation cannot start or go on: its options, run folder, ledger or workers."""


class SensorError(RouteGymError):
    """Raised when a sensor is unknown, wrongly configured, or asked for what it cannot give."""


class TrainingError(RouteGymError):
    """Raised when a training run cannot start or go on: its configuration, checkpoint, or policy."""
