"""The gateway: HTTP in, the failover core, HTTP out. Shell only; what is to be decided is decided in `failover`."""
