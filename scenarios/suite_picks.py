"""Routes that were picked by what drivers make of them, not by where they lie.

`python -m benchmarks.pick_hard` prints the lines below: route ids of minitown220, with the share of drives that the
expert passed, and its smallest distance to anybody. A driver that looks at nobody fails all of them.
"""

from __future__ import annotations

HARD_ROUTES = (
    "2002",  # ParkedObstacle: 100% of the drives, 0.72 m
    "2005",  # ParkedObstacle: 100% of the drives, 0.71 m
    "2009",  # AccidentTwoWays: 100% of the drives, 0.45 m
    "2010",  # AccidentTwoWays: 33% of the drives, 0.54 m
    "2014",  # ConstructionObstacle: 100% of the drives, 0.78 m
    "2015",  # ConstructionObstacle: 100% of the drives, 0.78 m
    "2016",  # DynamicObjectCrossing: 100% of the drives, 0.77 m
    "2019",  # DynamicObjectCrossing: 100% of the drives, 0.69 m
    "2022",  # PedestrianCrossing: 100% of the drives, 0.47 m
    "2023",  # PedestrianCrossing: 67% of the drives, 0.70 m
    "2039",  # SignalizedJunctionLeftTurn: 33% of the drives, 1.17 m
    "2049",  # ParkingCutIn: 100% of the drives, 0.69 m
    "2050",  # ParkingCutIn: 100% of the drives, 0.84 m
    "2052",  # YieldToEmergencyVehicle: 100% of the drives, 0.75 m
    "2053",  # YieldToEmergencyVehicle: 100% of the drives, 0.78 m
    "2056",  # ControlLoss: 100% of the drives, -0.90 m
    "2057",  # ControlLoss: 100% of the drives, -0.90 m
    "2061",  # ParkedObstacleTwoWays: 100% of the drives, 0.63 m
    "2063",  # ParkedObstacleTwoWays: 100% of the drives, 0.57 m
    "2066",  # ConstructionObstacleTwoWays: 100% of the drives, 0.79 m
    "2068",  # ConstructionObstacleTwoWays: 100% of the drives, 0.64 m
    "2071",  # Accident: 100% of the drives, 0.54 m
    "2072",  # Accident: 100% of the drives, 0.54 m
    "2076",  # HazardAtSideLane: 100% of the drives, 0.22 m
    "2080",  # HazardAtSideLane: 100% of the drives, 0.38 m
    "2083",  # HazardAtSideLaneTwoWays: 100% of the drives, 0.35 m
    "2084",  # HazardAtSideLaneTwoWays: 100% of the drives, 0.21 m
    "2087",  # VehicleOpensDoorTwoWays: 100% of the drives, 0.25 m
    "2088",  # VehicleOpensDoorTwoWays: 100% of the drives, 0.29 m
    "2095",  # ParkingCrossingPedestrian: 100% of the drives, 0.78 m
    "2097",  # VehicleTurningRoute: 100% of the drives, 0.70 m
    "2099",  # VehicleTurningRoute: 100% of the drives, 0.72 m
    "2101",  # VehicleTurningRoutePedestrian: 100% of the drives, 0.65 m
    "2103",  # VehicleTurningRoutePedestrian: 100% of the drives, 0.60 m
    "2139",  # SignalizedJunctionLeftTurnEnterFlow: 67% of the drives, 1.43 m
    "2153",  # SequentialLaneChange: 100% of the drives, 0.76 m
    "2161",  # VanillaNonSignalizedTurnEncounterStopsign: 100% of the drives, 0.57 m
    "2177",  # InvadingTurn: 100% of the drives, 0.38 m
    "2180",  # InvadingTurn: 100% of the drives, 0.35 m
    "2193",  # HighwayExit: 100% of the drives, 0.52 m
    "2195",  # HighwayExit: 100% of the drives, 0.56 m
    "2209",  # InterurbanAdvancedActorFlow: 67% of the drives, 1.22 m
    "2211",  # CrossingBicycleFlow: 100% of the drives, 0.81 m
    "2217",  # ParkingExit: 33% of the drives, 0.97 m
)
