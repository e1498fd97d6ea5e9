# A static binary and the public roots; no shell, no user but one without rights.
#
#   docker build --tag shakedown .
#   docker run --rm shakedown probe www.example.com
FROM rust:1-alpine AS build
RUN apk add --no-cache ca-certificates cmake gcc g++ make musl-dev perl
WORKDIR /source
COPY . .
RUN cargo build --release --locked --bin shakedown

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /source/target/release/shakedown /usr/local/bin/shakedown
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/shakedown"]
