# One image an app: docker build --build-arg APP=gateway -t kube-auditing-gateway .
# APP is gateway, rule, archive, alert, operator or standalone.
#
# RUNTIME may be any image with a node of 20.19 or later on PATH or in /nodejs/bin, as distroless has it; it needs no shell. The
# image runs as 65532, with a read-only root: what it writes goes to /data.
ARG BUILD=docker.io/library/node:22-bookworm-slim
ARG RUNTIME=gcr.io/distroless/nodejs22-debian12:nonroot

FROM ${BUILD} AS build
ARG APP
WORKDIR /src
COPY . .
# No script of a dependency is run; the lock file pins each by its hash.
RUN npm ci --ignore-scripts --no-audit --no-fund
RUN cd "apps/${APP:?--build-arg APP=gateway, rule, archive, alert, operator or standalone}" \
  && npm run build && cd ../.. && node tools/image.mjs "$APP" /out && mkdir -p /out-data

FROM ${RUNTIME}
ARG APP
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="kube-auditing-${APP}" \
      org.opencontainers.image.description="Audit log of Kube AI Hub and Kubernetes: ${APP}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build --chown=0:0 /out /app
COPY --from=build --chown=65532:65532 /out-data /data
WORKDIR /app
# malloc keeps what is freed for each of its arenas, by default eight a processor: 50 MiB more after a search for text.
ENV PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin \
    NODE_ENV=production \
    MALLOC_ARENA_MAX=2 \
    AUDITING_DATA_DIR=/data
USER 65532:65532
# A runtime without librt.so.1 would compress worse, in silence: let the build fail instead. No shell is needed for it.
RUN ["node", "--input-type=module", "-e", "const zstd = await import('@mongodb-js/zstd/bindings.js'); await zstd.compress(Buffer.alloc(9), 3)"]
ENTRYPOINT ["node", "/app/main.js"]
