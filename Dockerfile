# One build, one image per program: docker build --build-arg PROGRAM=hearth-billing .
# PROGRAM is hearth-archive, hearth-hall, hearth-billing, hearth-vendor, or hearth, the tool.

FROM rust:1.95-slim-trixie AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --workspace --exclude lab --bins \
    && install -D -t /out target/release/hearth target/release/hearth-archive target/release/hearth-hall \
        target/release/hearth-billing target/release/hearth-vendor

FROM debian:trixie-slim
ARG PROGRAM
# Authorities of the system, for an issuer whose key set is fetched by https.
RUN apt-get update && apt-get install -yq --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin hearth \
    && install -d -o hearth -g hearth /keys /files
COPY --from=build /out/${PROGRAM} /usr/local/bin/program
USER hearth
ENTRYPOINT ["/usr/local/bin/program"]
