# The executable alone: docker build -t retort:0.1.0 .
FROM denoland/deno:2.9.6 AS build
WORKDIR /app
COPY . .
RUN deno task compile

FROM debian:12.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /app/dist/retort /usr/local/bin/retort
# Numeric, so that Kubernetes can tell that it is not root.
USER 10001
WORKDIR /data
ENTRYPOINT ["retort"]
