# NOT RUN: no Docker engine was available where this was written. Every command in it was run by hand
# outside a container; the image itself has never been built. Treat it as a first draft.
#
# One image for every process; docker-compose.yml says which command each one runs. It runs as an
# ordinary user, has no compiler, and holds no secret: production settings read them from the
# environment and refuse to start without (docs/configuration.md).

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/requirements.txt
RUN /opt/venv/bin/pip install --no-deps --require-hashes -r /tmp/requirements.txt \
 && /opt/venv/bin/pip check

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DO_NOT_TRACK=1 \
    VAR_DIR=/var/lib/countersign
RUN groupadd --system --gid 10001 countersign \
 && useradd --system --uid 10001 --gid countersign --home-dir /var/lib/countersign countersign \
 && install -d -o countersign -g countersign -m 0700 /var/lib/countersign
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY . .
ENV DJANGO_SETTINGS_MODULE=config.settings.prod
USER countersign
EXPOSE 8000
# Static files are collected at start, since their folder lies in VAR_DIR, which is a volume.
CMD ["sh", "-c", "python manage.py collectstatic --no-input && exec granian --interface wsgi \
     --host 0.0.0.0 --port 8000 --workers 1 --blocking-threads 8 config.wsgi:application"]
