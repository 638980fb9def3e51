"""Host side of Takt: compiler, project model, build, simulate, deploy."""
