# The service as an image; also what trains it and what loads it.
#
#   docker build --tag chestxray:0.1.0 .                                    the CPU variant
#   docker build --tag chestxray-cuda:0.1.0 --build-arg EXTRA=serving .     the CUDA variant
#   docker build --tag chestxray-loadtest:0.1.0 --target loadtest .
#   docker build --tag chestxray-training:0.1.0 --target training .
#
# PIP_INDEX_URL and PIP_EXTRA_INDEX_URL name other package indexes; none is named here. Whatever is
# in the service is locked with its hashes in lock/, so that no index can put in another file.

# The digest is that of all platforms' images; it decides, and the tag says what it is. To renew both:
#   docker buildx imagetools inspect python:3.11-slim-bookworm
FROM python:3.11.16-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS python
# A fixed number, so that a pod's security context can ask for it; it owns nothing.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin chestxray
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1
WORKDIR /srv/chestxray

FROM python AS installer
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY pyproject.toml ./

FROM installer AS serving-packages
ARG EXTRA=serving-cpu
COPY lock lock
# compat puts this folder on the path, whatever lies in it: so the layer lasts until a pin changes.
# Nothing is installed any more once it runs.
RUN pip install --require-hashes --requirement "lock/$EXTRA.txt" \
    && pip install --no-deps --no-build-isolation --config-settings editable_mode=compat --editable . \
    && pip uninstall --yes setuptools pip \
    && rm -rf ./*.egg-info lock

FROM serving-packages AS serving-code
COPY service.py LICENSE ./
COPY chestxray chestxray
COPY bentos bentos
COPY web web
RUN python -m compileall -q chestxray bentos service.py

FROM serving-code AS materials
ARG EXTRA=serving-cpu
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
COPY pyproject.toml ./
COPY lock lock
COPY tools tools
# Described by tools that the image itself does not get.
RUN python -m ensurepip \
    && python -m pip install --require-hashes --requirement lock/materials.txt \
    && python -m tools.sbom /sbom.cdx.json "chestxray[$EXTRA]"

# The two below are tools and no part of the service; of what they install nothing is locked.
FROM installer AS training
RUN pip install --config-settings editable_mode=compat --editable ".[training,distillation]"
COPY chestxray chestxray
COPY training training
USER 10001:10001
ENTRYPOINT ["python", "-m"]

FROM installer AS loadtest
RUN pip install --config-settings editable_mode=compat --editable ".[load]"
COPY loadtests loadtests
COPY web/examples web/examples
USER 10001:10001
ENTRYPOINT ["locust"]

FROM python AS serving
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="chestxray" \
      org.opencontainers.image.description="Reads a chest X-ray and shows where it looked. Research use only." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=serving-packages /opt/venv /opt/venv
COPY --from=serving-code /srv/chestxray /srv/chestxray
COPY --from=materials /sbom.cdx.json /usr/share/doc/chestxray/sbom.cdx.json
# The root may be read-only: all that is written goes to /tmp and BENTOML_HOME.
ENV BENTOML_HOME=/var/lib/bentoml \
    BENTOML_DO_NOT_TRACK=True \
    CHESTXRAY_REVISION=$REVISION \
    PYTHONDONTWRITEBYTECODE=1
RUN install --directory --owner 10001 --group 10001 /var/lib/bentoml
USER 10001:10001
EXPOSE 3000
ENTRYPOINT ["chestxray"]
CMD ["serve", "--host", "0.0.0.0"]
