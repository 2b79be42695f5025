# sambench from its wheel, for the CPU: see RELEASING.md.
FROM python:3.11-slim
ARG WHEELS=""
WORKDIR /work
COPY constraints.txt dist/*.whl ./
RUN PIP_EXTRA_INDEX_URL="$WHEELS" pip install --no-cache-dir -c constraints.txt ./*.whl \
 && rm constraints.txt ./*.whl \
 && useradd --create-home sambench && chown sambench .
USER sambench
RUN sambench warm-up
ENTRYPOINT ["sambench"]
CMD ["list"]
