"""A file system that keeps back what was not synced, so that the power of any process's disk can be cut.

`model` is what is held, what is durable and what a cut leaves: pure. `backing` keeps the durable part in a folder,
`mount` shows the live part to a broker through FUSE, `serve` is the process that does both and takes orders. `tools`
says whether this machine can do it. Nothing here knows brokers or histories.
"""
