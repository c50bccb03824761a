"""The reference NameServer and broker: RocketMQ 4.9's remoting protocol, explained by code that clients can use.

Reading order: ``errors`` → ``commands`` → ``loose_json``, ``frame``, ``message`` → ``effects``, ``settings`` →
``disk`` → ``store`` → ``delivery`` → ``redelivery``, ``transactions`` → ``replication`` → ``broker``, ``nameserver`` →
``server`` → ``node`` → ``command_line``; each module imports only to its left. ``sabotage`` stands beside: planted bugs
and legal oddities.
"""
