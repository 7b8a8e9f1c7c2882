# The `forest` command in containers: hash-checked packages, no build tool left behind, no root.
#
#   docker build .                    authors and exports: no torch in it
#   docker build --target train .     trains masks, too: gigabytes, for a GPU or without one

FROM python:3.12.12-slim-bookworm AS packages

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src

# Packages first: they change less often than the code, so these layers are reused.
COPY requirements/run.txt requirements/build.txt requirements/
RUN python -m venv /opt/forest \
 && /opt/forest/bin/pip install --require-hashes --no-deps --requirement requirements/run.txt \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --no-deps --requirement requirements/build.txt


FROM packages AS packages-train

COPY requirements/train.txt requirements/
RUN /opt/forest/bin/pip install --require-hashes --no-deps --requirement requirements/train.txt


FROM packages AS build

COPY pyproject.toml README.md LICENSE ./
COPY forest/ forest/
COPY anchors/ anchors/
COPY exporters/ exporters/
COPY training/ training/
COPY experiments/ experiments/
# The wheel was made here from the files above, so it needs no hash and no index.
RUN /opt/build/bin/hatchling build --target wheel --directory /tmp/dist \
 && /opt/forest/bin/pip install --no-deps --no-index /tmp/dist/*.whl \
 && /opt/forest/bin/forest --help > /dev/null


FROM packages-train AS build-train

COPY --from=build /tmp/dist /tmp/dist
RUN /opt/forest/bin/pip install --no-deps --no-index /tmp/dist/*.whl \
 && /opt/forest/bin/forest train --print-config > /dev/null


FROM python:3.12.12-slim-bookworm AS user

LABEL org.opencontainers.image.title="reasoning-forest" \
      org.opencontainers.image.licenses="Apache-2.0"

# /forest is where a user's folders are mounted; a new volume over it takes its owner.
RUN useradd --uid 1000 --create-home forest \
 && install --directory --owner=forest --group=forest /forest

ENV PATH=/opt/forest/bin:$PATH PYTHONUNBUFFERED=1
USER forest
WORKDIR /forest
ENTRYPOINT ["forest"]
CMD ["--help"]


FROM user AS train

COPY --from=build-train /opt/forest /opt/forest


# The last one is what a build makes that names no target.
FROM user AS forest

COPY --from=build /opt/forest /opt/forest
