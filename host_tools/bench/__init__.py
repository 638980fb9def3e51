"""`takt bench`: what scans cost, how exactly tasks are released, how large and quick it all is."""
