"""Decides for the cluster: pure functions of a World. The shells `controller` and `local` gather it and act."""
