"""What clients do while faults happen: producers, consumers and probes put together from the recording client."""
