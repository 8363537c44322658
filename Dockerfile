# One image for the operator, the gateway and the command line.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY operator operator
# The lock's versions without its hashes: pip cannot check a hash of the project itself.
RUN sed -e '/--hash=/d' -e 's/ \\$//' requirements.lock > constraints.txt \
 && python -m venv /opt/pointsman \
 && /opt/pointsman/bin/pip install --no-cache-dir --constraint constraints.txt ".[operator,local]"

FROM python:3.12-slim
COPY --from=build /opt/pointsman /opt/pointsman
ENV PATH=/opt/pointsman/bin:$PATH PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["pointsman"]
