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
RUN useradd --system --uid 10001 gateway
WORKDIR /gateway
COPY --from=build /gateway/.venv .venv
COPY app app
ENV PATH=/gateway/.venv/bin:$PATH PYTHONUNBUFFERED=1 HOST=0.0.0.0
USER gateway
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=6s --start-period=20s CMD ["python", "-c", \
    "import os, urllib.request as web; web.urlopen(f\"http://127.0.0.1:{os.environ.get('PORT', 8000)}/readyz\", timeout=5)"]
CMD ["python", "-m", "app", "serve"]
