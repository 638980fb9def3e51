"""Models of machines, to be wired to a controller: docs/bench-plants.md has their equations.

A model knows nothing of the controller nor of wall time: `step` gets what the controller drives
and gives what its sensors show, in engineering units. What can go wrong in the machine itself is
an attribute or a method of the model.
"""

from hil_tests.plants.conveyor import Conveyor
from hil_tests.plants.heater import Heater
from hil_tests.plants.motor import Motor
from hil_tests.plants.table import Table
from hil_tests.plants.tank import Tank
from hil_tests.plants.traffic import Traffic

PLANTS = {
    "conveyor": Conveyor,
    "heater": Heater,
    "motor": Motor,
    "table": Table,
    "tank": Tank,
    "traffic": Traffic,
}
"""The models by the names that bench.toml uses."""

__all__ = ["PLANTS", "Conveyor", "Heater", "Motor", "Table", "Tank", "Traffic"]
