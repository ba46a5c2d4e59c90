# syntax=docker/dockerfile:1
# One image for the service, the local controller, edge workers and training workers.
#
#   docker build -t sedna-il .                                           service, operator, edge, training
#   docker build -t sedna-il-slim --build-arg EXTRAS=k8s .               no torch: trainings bring their own image
#   docker build -t sedna-il-edge --build-arg EXTRAS=edge .              edge worker only, no torch
#   (in a cluster: deploy/charts/sedna; with PostgreSQL and an S3 on one machine: deploy/compose.yaml)
#   docker run -p 8080:8080 -v sedna:/var/lib/sedna sedna-il             sedna up --data /var/lib/sedna
#   docker run -v ./work:/home/work -w /home/work --entrypoint python sedna-il train.py     an upstream worker script
#
# An edge, with the token of 'sedna edge register line-3' in ./token (readable by user 10001):
#   docker run -p 8500:8500 -v line-3:/var/lib/sedna -v ./token:/run/token:ro \
#     -e SEDNA_HEALTH_URL=http://127.0.0.1:8500/v2/health/live sedna-il-edge \
#     edge serve line-3 --data /var/lib/sedna --host 0.0.0.0 --url http://service:8080 --token-file /run/token

ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ARG EXTRAS=k8s,train
# Where pip finds torch: the CPU index saves some GB on machines without a GPU.
ARG PIP_EXTRA_INDEX_URL=
ENV PIP_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL} PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/sedna
WORKDIR /src
COPY pyproject.toml README.md LICENSE hatch_build.py ./
COPY lib lib
COPY controllers controllers
# The page is for the service; where controllers/globalmanager/web/dist is built already, it is taken as it is.
RUN case "${EXTRAS}" in edge|train) export PAGE_BUILD=skip ;; esac; /opt/sedna/bin/pip install ".[${EXTRAS}]"

FROM ${BASE}
# The first process of a container reaps what others leave behind, and passes signals on: tini does both.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/*
# The numbers are fixed, so that a volume keeps its owner when the image is built again.
RUN groupadd --gid 10001 sedna \
    && useradd --uid 10001 --gid sedna --home-dir /var/lib/sedna --no-create-home --shell /usr/sbin/nologin sedna \
    && install --directory --owner=sedna --group=sedna --mode=0750 /var/lib/sedna
COPY --from=build /opt/sedna /opt/sedna
# What the health check asks: the service's address, unless the container runs something else.
ENV PATH=/opt/sedna/bin:$PATH PYTHONUNBUFFERED=1 SEDNA_HEALTH_URL=http://127.0.0.1:8080/healthz
USER 10001:10001
WORKDIR /var/lib/sedna
VOLUME /var/lib/sedna
# service, edge worker, local controller
EXPOSE 8080 8500 9100
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(os.environ['SEDNA_HEALTH_URL'], timeout=4)"]
ENTRYPOINT ["tini", "--", "sedna"]
CMD ["up", "--data", "/var/lib/sedna", "--host", "0.0.0.0"]
