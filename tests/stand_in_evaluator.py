"""A program with the command line, the output and the files of the official evaluator, which drives nothing.

Tests put it where a checkout has its evaluator, to see what the launcher does about its bad days. `--agent-config`
says what happens, by route id: `kill@3,hang@5`. Deeds marked `once-` spoil the first attempt only, told by a mark file
beside the script. Standard library only.
"""

import argparse
import atexit
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

NAMES = (
    *("collisions_layout", "collisions_pedestrian", "collisions_vehicle", "red_light", "stop_infraction"),
    *("outside_route_lanes", "min_speed_infractions", "yield_emergency_vehicle_infractions", "scenario_timeouts"),
    *("route_dev", "vehicle_blocked", "route_timeout"),
)
STATUSES = {
    "crash": "Failed - Simulation crashed",
    "setup": "Failed - Agent couldn't be set up",
    "agent": "Failed - Agent crashed",
    "reject": "Rejected",
}


def deed_of(config, route):
    """What happens on a route."""
    for part in config.split(","):
        deed, _, at = part.partition("@")
        if at != route:
            continue
        if not deed.startswith("once-"):
            return deed
        mark = os.path.join(os.path.dirname(os.path.abspath(__file__)), "done-" + deed + at)
        if not os.path.exists(mark):
            open(mark, "w").close()
            return deed[len("once-") :]
    return ""


def record(route, index, status):
    """An official record."""
    identity = "RouteScenario_{}_rep0".format(route.get("id"))
    failed = status.startswith("Failed")
    score = 0.0 if failed else 100.0
    return {
        "index": index,
        "route_id": identity,
        "scenario_name": "Accident_1",
        "weather_id": "7",
        "save_name": identity + "_Town_Accident_1_7_01_01_00_00_00",
        "status": status,
        "num_infractions": 0,
        "infractions": {name: [] for name in NAMES},
        "scores": {"score_route": score, "score_penalty": 1.0, "score_composed": score},
        "meta": {"route_length": 100.0, "duration_game": 20.0, "duration_system": 2.0},
        "town_name": route.get("town"),
    }


def write(options, records, started, total, entry_status):
    """The checkpoint, written in place as the evaluator does."""
    document = {
        "_checkpoint": {"global_record": {}, "progress": [started, total], "records": records},
        "entry_status": entry_status,
        "eligible": False,
        "sensors": [],
        "values": [],
        "labels": [],
    }
    with open(options.checkpoint, "w") as file:
        json.dump(document, file, indent=4)


def main():
    """Start a server, go through the routes."""
    parser = argparse.ArgumentParser()
    for name in ("routes", "routes-subset", "agent", "agent-config", "track", "checkpoint", "debug-checkpoint"):
        parser.add_argument("--" + name, default="")
    for name in ("port", "traffic-manager-port", "traffic-manager-seed", "gpu-rank"):
        parser.add_argument("--" + name, type=int, default=0)
    options = parser.parse_args()
    if "never-starts" in options.agent_config:
        sys.exit("RuntimeError: nothing starts here")
    command = "{}/CarlaUE4.sh -RenderOffScreen -nosound -carla-rpc-port={} -graphicsadapter={}".format(
        os.environ["CARLA_ROOT"], options.port, options.gpu_rank
    )
    server = subprocess.Popen(command, shell=True, preexec_fn=os.setsid, stdout=subprocess.PIPE, text=True)
    atexit.register(os.killpg, server.pid, signal.SIGKILL)
    print(server.stdout.readline(), end="", flush=True)  # it is up
    wanted = options.routes_subset.split(",")
    routes = [route for route in ElementTree.parse(options.routes).getroot() if route.get("id") in wanted]
    records = []
    for index, route in enumerate(routes):
        name = route.get("id")
        print(f"\n\033[1m========= Preparing RouteScenario_{name} (repetition 0) =========\033[0m", flush=True)
        deed = deed_of(options.agent_config, name)
        for tick in range(1, 4):
            line = "=== [Agent] -- Wallclock = now -- System time = 0.0 -- Game time = {:.3f} -- Ratio = 1.0x"
            print(line.format(tick * 0.05), flush=True)
        write(options, records + [record(route, index, "Started")], index, len(routes), "Started")
        if deed == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if deed == "hang":
            time.sleep(1000)
        while deed == "babble":
            print("WARNING: nothing has happened", flush=True)
            time.sleep(0.2)
        status = STATUSES.get(deed, "Completed")
        records.append(record(route, index, status))
        entry_status = {"crash": "Crashed", "reject": "Rejected"}.get(deed, "Started")
        write(options, records, index + 1, len(routes), entry_status)
        if deed in ("crash", "setup", "reject"):
            sys.exit(-1)
    if "never-ends" in options.agent_config:
        time.sleep(1000)
    write(options, records, len(routes), len(routes), "Finished")


if __name__ == "__main__":
    main()
