"""The demo: scripted leads on a real system, shown live, judged at the end."""
