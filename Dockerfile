# Two images, named by target: `airflow` for every Airflow service, `object-store` for the S3 server.
# Tags and the reasons for them: docs/decisions/0003-images-and-object-store.md.

FROM versity/versitygw:v1.7.0 AS object-store
# A new volume takes over the owner of the folder that it covers, so the server needs no root to write there.
RUN mkdir -m 0700 /objects && chown 50000:50000 /objects
USER 50000:50000

FROM python:3.12.13-slim-trixie AS packages
COPY requirements.production.lock /tmp/
# Wheels only, so nothing is compiled and no compiler is needed; each file is checked against its hash.
RUN python -m venv --without-pip /opt/dtm \
 && python -m pip --python /opt/dtm install --no-cache-dir --disable-pip-version-check \
    --only-binary :all: --require-hashes --requirement /tmp/requirements.production.lock

FROM python:3.12.13-slim-trixie AS airflow
RUN groupadd --gid 50000 dtm \
 && useradd --uid 50000 --gid dtm --no-create-home --home-dir /airflow --shell /usr/sbin/nologin dtm \
 && install --directory --owner dtm --group dtm --mode 0700 /airflow /logs /ledger /credentials \
 && printf '#!/bin/sh\nexec python -m dtm_sharing.cli "$@"\n' > /usr/local/bin/dtm-sharing \
 && chmod 0755 /usr/local/bin/dtm-sharing
COPY --from=packages /opt/dtm /opt/dtm
COPY plugins /app/plugins
COPY dags /app/dags
COPY policies /app/policies
# The package lies in the plugins folder only: installed as well, Airflow would load it twice.
ENV PATH=/opt/dtm/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app/plugins \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/airflow \
    AIRFLOW_HOME=/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/app/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/app/plugins \
    DO_NOT_TRACK=1 \
    GX_ANALYTICS_ENABLED=false \
    SCARF_ANALYTICS=false
WORKDIR /airflow
USER 50000:50000
CMD ["airflow", "version"]
