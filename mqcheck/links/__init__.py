"""The network between clients and nodes: Toxiproxy, the frame proxy, the topology and the leak check."""
