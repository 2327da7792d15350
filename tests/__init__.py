"""The tests of vt."""
