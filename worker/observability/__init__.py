"""What Parley reports: metrics, traces, logs, health, and the endpoint that serves metrics and health."""
