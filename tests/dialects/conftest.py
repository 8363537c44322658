"""How properties are tested here: on a machine that is busy, the time that one example takes says nothing."""

from hypothesis import settings

settings.register_profile("dialects", deadline=None)
settings.load_profile("dialects")
