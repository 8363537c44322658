"""The operator's shell: kopf's events wake, `fleet` decides, the applier acts."""
