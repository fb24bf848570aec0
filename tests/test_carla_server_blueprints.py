"""What the blueprint library offers to the real client: ids, attributes, and what the client makes of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import carla
import pytest

from simulator.blueprints import BLUEPRINTS, HALF_SIZE, blueprint_index
from simulator.sensors import SENSOR_TYPES
from tests.carla_servers import ROOT, running, synchronous

#: Ids that Bench2Drive's routes, scenarios and background traffic, and scenario_runner's tools, name.
NAMED = (
    "vehicle.lincoln.mkz_2020", "vehicle.dodge.charger_police_2020", "vehicle.diamondback.century",
    "vehicle.bh.crossbike", "vehicle.gazelle.omafiets", "vehicle.tesla.model3", "vehicle.carlamotors.firetruck",
    "vehicle.ford.ambulance", "vehicle.carlamotors.carlacola", "vehicle.kawasaki.ninja",
    "static.prop.vendingmachine", "static.prop.constructioncone", "static.prop.warningconstruction",
    "static.prop.trafficwarning", "static.prop.streetbarrier", "static.prop.container", "static.prop.advertisement",
    "static.prop.dirtdebris01", "static.prop.dirtdebris02", "static.prop.dirtdebris03", "static.prop.mesh",
    "static.prop.busstoplb", "static.prop.foodcart", "static.prop.haybalelb", "static.prop.warningaccident",
    "static.prop.barrel", "static.prop.trafficcone01", "static.prop.trafficcone02",
    "walker.pedestrian.0001", "walker.pedestrian.0051", "controller.ai.walker",
)  # fmt: skip


@pytest.fixture(scope="module")
def world() -> Iterator[Any]:
    with running() as server:
        world = server.client().get_world()
        synchronous(world)
        yield world


@pytest.fixture(scope="module")
def library(world: Any) -> Any:
    return world.get_blueprint_library()


def test_what_our_scenarios_name_is_there(library: Any):
    files = [*(ROOT / "scenarios").rglob("*.py"), *(ROOT / "scenarios").rglob("*.xml")]
    pattern = re.compile(r"\b(?:vehicle|static\.prop|walker)\.[\w.-]*\w")
    named = {name for file in files for name in pattern.findall(file.read_text())}
    known = {b.id for b in library}
    assert named
    assert not named - known


@pytest.mark.parametrize("name", NAMED)
def test_what_bench2drive_names_is_there(library: Any, name: str):
    assert library.find(name).id == name


def test_everything_that_the_town_can_show_is_there(library: Any):
    ids = {b.id for b in library}
    assert {b.id for b in BLUEPRINTS} <= ids
    assert {k.id for k in SENSOR_TYPES.values() if not k.pseudo} <= ids


@pytest.mark.parametrize(
    ("pattern", "least"), [("vehicle.*", 41), ("walker.pedestrian.*", 51), ("static.prop.*", 95), ("sensor.*", 15),
                           ("*mini*", 2), ("vehicle.*firetruck*", 1)]
)  # fmt: skip
def test_clients_filter_by_pattern(library: Any, pattern: str, least: int):
    assert len(library.filter(pattern)) >= least


def test_bench2drive_filters_by_attribute(library: Any):
    vehicles = library.filter("vehicle.*")
    cars = [v for v in vehicles if v.get_attribute("base_type") == "car"]
    modern = [v for v in cars if int(v.get_attribute("generation")) == 2]
    lit = [v for v in cars if v.get_attribute("has_lights") and v.get_attribute("special_type") == ""]
    emergency = [v.id for v in vehicles if v.get_attribute("special_type") == "emergency"]
    assert modern
    assert lit
    assert "vehicle.dodge.charger_police_2020" in emergency
    assert all(int(v.get_attribute("number_of_wheels")) in (2, 4) for v in vehicles)
    assert [b.id for b in library.filter_by_attribute("base_type", "bicycle")]
    assert any(v.get_attribute("has_dynamic_doors") for v in cars)


def test_a_colour_has_recommended_values_and_three_channels(library: Any):
    car = library.find("vehicle.audi.tt")
    car.set_attribute("color", car.get_attribute("color").recommended_values[1])
    assert car.get_attribute("color").as_color().r >= 0
    with pytest.raises((RuntimeError, ValueError), match="channels"):
        car.set_attribute("color", "1,2")


def test_walkers_have_speeds_to_walk_and_run(library: Any):
    walker = library.find("walker.pedestrian.0015")
    assert [float(v) for v in walker.get_attribute("speed").recommended_values] == [0.0, 1.4, 2.8]
    assert walker.get_attribute("is_invincible").as_bool()
    assert {w.get_attribute("age").as_str() for w in library.filter("walker.*")} == {"adult", "child"}


def test_fixed_attributes_stay(library: Any):
    with pytest.raises((RuntimeError, ValueError), match="read-only"):
        library.find("vehicle.audi.tt").set_attribute("number_of_wheels", "3")


@pytest.mark.parametrize("kind", [k for k in SENSOR_TYPES.values() if not k.pseudo], ids=lambda k: k.id)
def test_sensor_attributes_have_carlas_types_and_defaults(library: Any, kind: Any):
    blueprint = library.find(kind.id)
    read = {bool: "as_bool", int: "as_int", float: "as_float", str: "as_str"}
    for a in kind.attributes.values():
        value = getattr(blueprint.get_attribute(a.name), read[type(a.default)])()
        assert value == (pytest.approx(a.default) if isinstance(a.default, float) else a.default), a.name


def test_a_choice_is_told(library: Any):
    mode = library.find("sensor.camera.rgb").get_attribute("exposure_mode")
    assert mode.recommended_values == ["manual", "histogram"]
    assert mode.is_modifiable


@pytest.mark.parametrize(
    ("sensor", "attribute", "value"),
    [("sensor.camera.rgb", "image_size_x", "0"), ("sensor.camera.rgb", "fov", "200"),
     ("sensor.lidar.ray_cast", "channels", "0"), ("sensor.lidar.ray_cast", "upper_fov", "-60"),
     ("sensor.camera.rgb", "exposure_mode", "automatic")],
)  # fmt: skip
def test_what_no_sensor_can_be_is_refused_with_the_reason(
    world: Any, library: Any, sensor: str, attribute: str, value: str
):
    blueprint = library.find(sensor)
    blueprint.set_attribute(attribute, value)
    with pytest.raises(RuntimeError, match=f"Spawn failed.*{attribute}"):
        world.spawn_actor(blueprint, carla.Transform())


@pytest.mark.parametrize("name", ["vehicle.carlamotors.firetruck", "static.prop.kiosk_01", "walker.pedestrian.0009"])
def test_actors_have_the_size_of_their_blueprint(world: Any, library: Any, name: str):
    actor = world.spawn_actor(library.find(name), carla.Transform(carla.Location(z=300.0)))
    extent = actor.bounding_box.extent
    world.tick()  # the client may take for dead, and not destroy, what no frame has told of yet
    assert actor.destroy()
    assert [extent.x, extent.y, extent.z] == pytest.approx(HALF_SIZE[blueprint_index(name)])


def test_a_mesh_has_the_size_of_the_car_that_it_names(world: Any, library: Any):
    mesh = library.find("static.prop.mesh")
    mesh.set_attribute("mesh_path", "/Game/Carla/Static/Car/4Wheeled/ParkedVehicles/TeslaM3/SM_TeslaM3_parked")
    mesh.set_attribute("scale", "0.9")
    prop = world.spawn_actor(mesh, carla.Transform(carla.Location(z=300.0)))
    extent = prop.bounding_box.extent
    world.tick()
    assert prop.destroy()
    assert [extent.x, extent.y, extent.z] == pytest.approx(HALF_SIZE[blueprint_index("vehicle.tesla.model3")])
