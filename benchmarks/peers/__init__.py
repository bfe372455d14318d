"""What Parley is compared with, each as its own users would write it, and the means to try them side by side.

Each peer is a module with ``send(messages)`` and ``waiting()``, beside ``benchmarks.plain_celery``, which the chaos
runs know too. ``contenders`` says how their workers are started, ``feeder`` is the producer, ``trial`` measures one
run, ``ceiling`` the tasks that do nothing, ``comparison`` puts figures side by side.
"""
