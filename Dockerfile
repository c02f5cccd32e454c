# Build with `make dist && docker build -t review-desk .`; the wheel comes from `make dist`.
FROM python:3.11-slim-bookworm AS build
COPY build/wheel/ /build/wheel/
COPY constraints.txt docs/deploy/build-image.sh /build/
RUN sh /build/build-image.sh /build/wheel/*.whl /build/constraints.txt

FROM python:3.11-slim-bookworm
COPY --from=build /opt/review-desk /opt/review-desk
COPY --from=build /etc/passwd /etc/group /etc/
COPY --from=build --chown=10001:10001 /var/lib/review-desk /var/lib/review-desk

ENV PATH=/opt/review-desk/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/var/lib/review-desk BIND=0.0.0.0:8080 LOG_FORMAT=json
USER 10001:10001
# Only the data folder and /tmp (large request bodies) are written: start it with --read-only --tmpfs /tmp.
VOLUME /var/lib/review-desk
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["review-desk", "probe"]
ENTRYPOINT ["review-desk"]
CMD ["serve"]
