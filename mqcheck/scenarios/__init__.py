"""What is run: deployments, workloads and fault timetables, one file per area; each says what it would catch."""
