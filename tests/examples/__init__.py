"""Every file in examples/ is run: here on this machine, in tests/control_plane as Jobs."""
