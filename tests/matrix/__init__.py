"""The matrix: every client before every backend dialect, and what each side must have understood of the other.

Nothing here knows how the gateway translates. What a backend is asked is read by readers of our own, written after the
vendors' references and backed by their types; what a client gets is read from its SDK's objects. `python -m matrix`
prints the table.
"""
