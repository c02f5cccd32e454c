#!/bin/sh
# What the Dockerfile runs in a bare Debian with Python; also for a machine or chroot without a container engine.
# Usage: build-image.sh WHEEL CONSTRAINTS. Installs into /opt/review-desk, makes the user and its data folder.
set -eu

wheel=$1 constraints=$2

if ! command -v python3 >/dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends python3 python3-venv ca-certificates >/dev/null
    rm -rf /var/lib/apt/lists/*
fi

python3 -m venv /opt/review-desk
/opt/review-desk/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
    --constraint "$constraints" "$wheel"
# Not needed to run, and a quarter of the size.
/opt/review-desk/bin/python -m pip uninstall --quiet --yes --disable-pip-version-check pip 2>/dev/null || true

# A number that no system account has, so that volumes keep their owner.
grep -q '^review-desk:' /etc/group || echo 'review-desk:x:10001:' >>/etc/group
grep -q '^review-desk:' /etc/passwd ||
    echo 'review-desk:x:10001:10001::/var/lib/review-desk:/usr/sbin/nologin' >>/etc/passwd
mkdir -p /var/lib/review-desk
chown 10001:10001 /var/lib/review-desk
chmod 700 /var/lib/review-desk
