# One image for worker, scheduler, ingress and Flower. With --target demo and REQUIREMENTS=demo the simulated upstreams are in it.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
ARG REQUIREMENTS=base
COPY requirements/${REQUIREMENTS}.txt /requirements.txt
RUN python -m venv /opt/parley && /opt/parley/bin/pip install --no-cache-dir --require-hashes -r /requirements.txt

FROM python:${PYTHON}-slim-bookworm AS common
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin parley \
    && install --directory --owner=parley --group=parley /data \
    && printf '#!/bin/sh\nexec python -m worker.cli "$@"\n' > /usr/local/bin/parley \
    && chmod 755 /usr/local/bin/parley
COPY --from=build /opt/parley /opt/parley
COPY config /parley/config
COPY tasks /parley/tasks
COPY worker /parley/worker
# Hundreds of threads would each keep freed memory for themselves (docs/decisions/0009).
ENV GLIBC_TUNABLES=glibc.malloc.tcache_count=0
ENV PATH=/opt/parley/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/parley \
    PYTHONUNBUFFERED=1
WORKDIR /parley
STOPSIGNAL SIGTERM
CMD ["celery", "-A", "worker", "worker"]

# The file system is read-only when it runs, so the bytecode is made now.
FROM common AS demo
COPY simulation /parley/simulation
RUN python -m compileall -q /parley
ENV PYTHONDONTWRITEBYTECODE=1
USER parley

FROM common AS base
RUN python -m compileall -q /parley
ENV PYTHONDONTWRITEBYTECODE=1
USER parley
