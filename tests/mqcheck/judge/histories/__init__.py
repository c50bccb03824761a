"""Made-up histories: a healthy run, put together by subject, for tests to mutate; and what the judge says of one."""

from histories.features import featured
from histories.healthy import Healthy, healthy
from histories.judged import judged
from histories.rows import Builder, Row, ns

__all__ = ["Builder", "Healthy", "Row", "featured", "healthy", "judged", "ns"]
