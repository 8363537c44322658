"""The wall: a fake provider in which the model's name picks the fault, and a scorecard of what clients see of it.

Nothing here knows the gateway's insides: `pointsman up` is started as a user starts it, on YAML objects, and asked over
HTTP. `python -m wall` prints the scorecard.
"""
