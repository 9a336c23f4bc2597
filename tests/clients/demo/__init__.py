"""The parts of the guided tour that need no mesh; the tour itself is run on one."""
