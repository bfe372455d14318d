"""What Parley tells of itself: metrics, health, and the endpoint that serves both."""
