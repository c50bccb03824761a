"""A RocketMQ inside somebody's tests: processes of the reference, looks at what they saw, faults for the application.

Behind the fixtures and ``mqcheck serve``. Blocking calls for plain tests; needs nothing beyond the bare package, but
for faults of links. Conformance runs do not use it.
"""
