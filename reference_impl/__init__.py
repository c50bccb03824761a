"""The reference NameServer and broker: RocketMQ 4.9's remoting protocol, explained by code that official clients can use.

Reading order: ``errors`` → ``commands`` → ``frame``, ``message`` → ``disk`` → ``store`` → ``delivery`` → ``redelivery`` →
``broker``, ``nameserver`` → ``server`` → ``__main__``; each module imports only to its left. ``sabotage`` stands beside: planted
bugs and legal oddities.
"""
