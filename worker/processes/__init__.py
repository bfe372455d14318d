"""What worker, scheduler and dashboard processes do."""
