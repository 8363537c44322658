"""The controller's part without a cluster: objects from files, the gateway as a child process."""
