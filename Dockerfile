# The product's images: one program each on an empty base, no shell, no root.
#   docker build --target operator  --tag REGISTRY/gryt-operator:TAG .
#   docker build --target signaling --tag REGISTRY/gryt-signaling:TAG .
#   docker build --target sfu       --tag REGISTRY/gryt-sfu:TAG .
# For both architectures: docker buildx build --platform linux/amd64,linux/arm64 …
# The tests make the same images without docker: xtask/src/image.rs.

FROM node:22-bookworm-slim AS web
WORKDIR /src
COPY proto proto
COPY web web
RUN cd web && npm ci --no-audit --no-fund && npm run build

FROM rust:1.95-bookworm AS programs
WORKDIR /src
COPY . .
COPY --from=web /src/web/dist web/dist
# One run of cargo, so that what the programs share is compiled once. With the target named, the
# flag is for the programs alone and not for build scripts.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    target=$(rustc -vV | sed -n 's/^host: //p') && \
    RUSTFLAGS=-Ctarget-feature=+crt-static cargo build --release --locked --bins --target "$target" \
      --package gryt-operator --package gryt-signaling --package gryt-sfu && \
    mkdir /programs && \
    for program in gryt-operator gryt-signaling gryt-sfu; do \
      strip --strip-debug -o "/programs/$program" "target/$target/release/$program"; \
    done
RUN mkdir -p /base/etc /base/tmp && chmod 1777 /base/tmp && \
    printf 'root:x:0:0::/:/\ngryt:x:65532:65532::/:/\n' > /base/etc/passwd && \
    printf 'root:x:0:\ngryt:x:65532:\n' > /base/etc/group && \
    printf 'hosts: files dns\n' > /base/etc/nsswitch.conf

FROM scratch AS base
COPY --from=programs /base /
WORKDIR /
USER 65532:65532

FROM base AS operator
COPY --from=programs /programs/gryt-operator /
ENTRYPOINT ["/gryt-operator"]

FROM base AS signaling
COPY --from=programs /programs/gryt-signaling /
ENTRYPOINT ["/gryt-signaling"]

FROM base AS sfu
COPY --from=programs /programs/gryt-sfu /
ENTRYPOINT ["/gryt-sfu"]
