"""Simulated FluidTalk and Captivate, with faults on demand."""
