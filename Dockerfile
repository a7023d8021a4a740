# A recorder as a container: `docker build -t booktape .`, then as docs/operate.md says. The tape is a volume at
# /tape, all else may be read-only; the user has no name and no rights. The engine is compiled here, for the kind of
# processor that builds the image.
FROM python:3.12-slim AS build
COPY . /src
RUN python -m venv /opt/booktape \
    && /opt/booktape/bin/pip install --no-cache-dir '/src[fast,s3]'
ENV NUMBA_CACHE_DIR=/opt/booktape/cache
RUN mkdir "$NUMBA_CACHE_DIR" \
    && /opt/booktape/bin/booktape compile

FROM python:3.12-slim
COPY --from=build /opt/booktape /opt/booktape
ENV NUMBA_CACHE_DIR=/opt/booktape/cache \
    PATH=/opt/booktape/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
RUN install -d -o 10001 -g 10001 /tape
VOLUME /tape
USER 10001:10001
HEALTHCHECK --start-period=30s --interval=10s --timeout=5s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9400/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["booktape"]
CMD ["record", "BTC-USD", "-o", "/tape/BTC-USD", "--log-json", "--metrics-port", "9400"]
