# syntax=docker/dockerfile:1
# One image for the service, the local controller, edge workers and training workers.
#
#   docker build -t sedna-il .                                           service + edge + training
#   docker build -t sedna-il-edge --build-arg EXTRAS=edge .              edge worker only, no torch
#   docker run -p 8080:8080 -v sedna:/var/lib/sedna sedna-il             sedna up --data /var/lib/sedna
#   docker run -v ./work:/home/work -w /home/work --entrypoint python sedna-il train.py     an upstream worker script

ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ARG EXTRAS=control,train
# Where pip finds torch: the CPU index saves some GB on machines without a GPU.
ARG PIP_EXTRA_INDEX_URL=
ENV PIP_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL} PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/sedna
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY lib lib
COPY controllers controllers
RUN /opt/sedna/bin/pip install ".[${EXTRAS}]"

FROM ${BASE}
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/sedna --create-home sedna
COPY --from=build /opt/sedna /opt/sedna
ENV PATH=/opt/sedna/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/sedna
VOLUME /var/lib/sedna
EXPOSE 8080 8081 9100
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["sedna"]
CMD ["up", "--data", "/var/lib/sedna", "--host", "0.0.0.0"]
