"""The version of Takt, from the installed distribution or the source tree's pyproject.toml."""

from __future__ import annotations

from functools import lru_cache


@lru_cache
def version() -> str:
    """Such as "0.1.0"; "0.0.0" where neither can be found."""
    import tomllib
    from pathlib import Path

    # The source tree first: it is what runs, an installed distribution may be another one.
    file = Path(__file__).parents[1] / "pyproject.toml"
    if file.is_file():
        with file.open("rb") as stream:
            project = tomllib.load(stream).get("project", {})
        if project.get("name") == "takt-plc":
            return str(project["version"])
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("takt-plc")
    except PackageNotFoundError:
        return "0.0.0"
