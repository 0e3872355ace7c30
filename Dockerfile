# Two stages: the first installs what the lock names, the second holds that and nothing else.
FROM python:3.13-slim AS build
WORKDIR /app
# Without pip inside: the pip of this stage fills it.
RUN python -m venv --without-pip /opt/easel
COPY requirements/run.lock requirements/run.lock
# The lock also holds the build backend, for `make run`; the image builds nothing.
RUN pip --python /opt/easel/bin/python --disable-pip-version-check install --no-cache-dir \
        --require-hashes --only-binary :all: -r requirements/run.lock \
    && pip --python /opt/easel/bin/python uninstall --yes \
        hatchling editables packaging pathspec pluggy trove-classifiers
COPY bot bot
COPY cogs cogs
# Compiled here, because the running container cannot write beside its code.
RUN /opt/easel/bin/python -m compileall -q bot cogs && mkdir /data

FROM python:3.13-slim
ENV PATH=/opt/easel/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    WEB_HOST=0.0.0.0 \
    DATABASE_URL=sqlite:////data/easel.db \
    KEEP_FOLDER=/data/kept
COPY --from=build /opt/easel /opt/easel
COPY --from=build /app/bot /app/bot
COPY --from=build /app/cogs /app/cogs
# A new volume takes the owner of the folder it covers.
COPY --from=build --chown=10001:10001 /data /data
# The version stands in it.
COPY pyproject.toml /app/
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "\
import http.client, os, sys; \
web = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('WEB_PORT') or 8080), timeout=4); \
web.request('GET', '/healthz'); \
sys.exit(web.getresponse().status != 200)"]
# What --version and the log say it is made from: --build-arg COMMIT=$(git rev-parse HEAD)
ARG COMMIT=""
ENV EASEL_COMMIT=$COMMIT
CMD ["python", "-m", "bot", "run"]
