# The gateway alone, without demo, sample data or a database. It needs MONGODB_URI, JWT_ISSUER and JWKS_URL.

FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml requirements.lock ./
# uv itself comes from the lock; it can then install what pyproject.toml asks for, without the extras, in the versions
# and with the hashes of the lock.
RUN sed -n '/^uv==/,/# via/p' requirements.lock > uv.txt \
    && pip install --no-cache-dir --no-deps --require-hashes --requirement uv.txt
RUN python -m venv --without-pip /gateway/.venv \
    && uv pip install --no-cache --compile-bytecode --python /gateway/.venv/bin/python \
        --require-hashes --constraint requirements.lock --requirement pyproject.toml

FROM python:3.13-slim
WORKDIR /gateway
COPY --from=build /gateway/.venv .venv
COPY app app
RUN python -m compileall -q app
ENV PATH=/gateway/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0
# A number, so that whoever runs it (Kubernetes' runAsNonRoot) sees that it is not root. It owns nothing here, and writes
# to /tmp only, where `serve --workers` counts.
USER 10001:10001
EXPOSE 8000
# Whether to restart it; whether to send it requests is said by /readyz. Past any proxy that is set for others.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", \
    "import http.client, os, sys; ask = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 8000), timeout=4); ask.request('GET', '/livez'); sys.exit(ask.getresponse().status != 200)"]
CMD ["python", "-m", "app", "serve"]
