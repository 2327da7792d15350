# For machines other than Hugging Face Spaces, which needs none. `docker build -t vt .` makes the image for processors,
# `docker build --target cuda -t vt:cuda .` the one for NVIDIA's cards. All Python packages and models are installed by
# scripts/setup, every file by its hash. scripts/check-fresh runs that in a bare Debian; the image itself was not built
# where vt was made: no Docker was at hand there.

ARG DEBIAN=bookworm
FROM debian:${DEBIAN}-slim AS base
WORKDIR /app
COPY packages.txt ./
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && xargs -a packages.txt apt-get install -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/*

# What set-up reads, and no more of the code: a change of the rest installs nothing anew.
FROM base AS unset
COPY pyproject.toml README.md LICENSE requirements.txt requirements.lock requirements-cpu.lock requirements-cuda.lock ./
COPY scripts/__init__.py scripts/models.py scripts/setup scripts/
COPY vt/__init__.py vt/errors.py vt/translatable.py vt/
COPY vt/model_files/__init__.py vt/model_files/bundle.py vt/model_files/bundling.py \
    vt/model_files/requirements-models.txt vt/model_files/

# torch as the package index has it: with all that it takes on a card.
FROM unset AS set-up-for-cuda
RUN ./scripts/setup

# torch's own index has a build for processors alone, which takes 4 GB less.
FROM unset AS set-up-for-cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN PIP_EXTRA_INDEX_URL=${TORCH_INDEX} ./scripts/setup

FROM base AS app
COPY LICENSE README.md requirements.txt app.py ./
COPY samples samples
COPY vt vt
# Jobs, models and downloads outlive the container where a volume is mounted here.
ENV PATH=/app/.venv/bin:$PATH HOME=/data VT_DATA_DIR=/data HF_HOME=/data/huggingface VT_LOG_FILE=/data/app.log
RUN useradd --uid 1000 --home-dir /data --create-home vt
USER vt
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8000/health', timeout=8)"]
CMD ["python", "app.py"]

FROM app AS cuda
ENV DEVICE=auto
COPY --from=set-up-for-cuda /app/.venv /app/.venv

# The last one is what is built where no target is named.
FROM app AS cpu
COPY --from=set-up-for-cpu /app/.venv /app/.venv
