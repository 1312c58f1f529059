# The executable alone: docker build -t retort:0.1.0 .
FROM denoland/deno:2.9.6 AS build
WORKDIR /app
COPY . .
RUN deno task compile

# It brings its own certificate authorities; --ca-file names others.
FROM debian:12.12-slim
COPY --from=build /app/dist/retort /usr/local/bin/retort
# Numeric, so that Kubernetes can tell that it is not root.
USER 10001
WORKDIR /data
ENTRYPOINT ["retort"]
