"""What agents ask about the world: its map, and the ego vehicle."""


class CarlaDataProvider:
    """Set by the process that hosts the agent."""

    _world = None
    _map = None

    @staticmethod
    def get_world():
        """The world, as far as the embedded town has one for an agent."""
        return CarlaDataProvider._world

    @staticmethod
    def get_map(world=None):
        """`carla.Map` of the town."""
        return CarlaDataProvider._map

    @staticmethod
    def get_hero_actor():
        """The ego vehicle."""
        return CarlaDataProvider._world.get_actors()[0]
