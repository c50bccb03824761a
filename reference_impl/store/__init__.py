"""The store: commit log, consume queues and their recovery."""
