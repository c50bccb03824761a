"""What is tested: how a broker's nodes are started, stopped and hurt."""
