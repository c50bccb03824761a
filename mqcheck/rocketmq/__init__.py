"""The recording client: RocketMQ's remoting protocol from the client's side; every operation goes into the history."""
