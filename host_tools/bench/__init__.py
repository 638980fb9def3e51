"""`takt bench`: what scans cost, how exactly they are released, how large and how quick it all is."""
