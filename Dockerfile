# The image of the action. A release builds it once, with BASE_IMAGE pinned by digest, and its
# action.yml names the result by digest; the tag below is for everybody else's builds.
#   docker build --build-arg BASE_IMAGE=python:3.11-slim-bookworm@sha256:… .
# Behind a proxy of one's own, where needed (both are optional, and stay out of the image):
#   --secret id=pip,src=pip.conf --secret id=ca,src=ca.pem
ARG BASE_IMAGE=python:3.11-slim-bookworm

# hadolint ignore=DL3006
FROM ${BASE_IMAGE} AS build
WORKDIR /build
COPY requirements/run.txt ./
# pip stays in an environment of its own; hashes pin every file, and nothing is compiled.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=ca,target=/run/secrets/ca.pem \
    if [ -f /run/secrets/ca.pem ]; then export PIP_CERT=/run/secrets/ca.pem; fi && \
    python3 -m venv tools && \
    python3 -m venv --without-pip /opt/fpcheck/venv && \
    tools/bin/pip --python /opt/fpcheck/venv/bin/python install --no-cache-dir --no-compile \
        --no-deps --only-binary :all: --require-hashes -r run.txt
COPY entrypoint /opt/fpcheck/entrypoint
COPY fpcheck /opt/fpcheck/fpcheck
COPY reference_signatures /opt/fpcheck/reference_signatures
# Compiled here, with hashes that are not looked at again: a read-only container starts as fast.
RUN chmod 0755 /opt/fpcheck/entrypoint/main.py && \
    /opt/fpcheck/venv/bin/python -I -m compileall -q --invalidation-mode unchecked-hash \
        /opt/fpcheck

# hadolint ignore=DL3006
FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="fpcheck" \
      org.opencontainers.image.description="Lineage check of model checkpoints before release" \
      org.opencontainers.image.licenses="Apache-2.0"
# fpcheck has threads of its own; those of numpy's BLAS would only compete with them.
ENV LANG=C.UTF-8 \
    OPENBLAS_NUM_THREADS=1
COPY --from=build /opt/fpcheck /opt/fpcheck
# Root, as GitHub asks of container actions: it owns the files that outputs go to.
ENTRYPOINT ["/opt/fpcheck/venv/bin/python", "-IB", "/opt/fpcheck/entrypoint/main.py"]
