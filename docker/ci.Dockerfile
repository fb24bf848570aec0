# The check of an agent in CI: docker build -t routegym-ci -f docker/ci.Dockerfile .
# Small: no video, no training; kernels are compiled, so that the first route starts at once.
FROM python:3.11-slim-bookworm

WORKDIR /routegym
COPY . .
ENV ROUTEGYM_CACHE=/routegym/cache
RUN docker/install.sh /opt/routegym
ENV PATH=/opt/routegym/bin:$PATH

CMD ["python", "run_eval.py", "--routes", "smoke", "--agent", "expert", "--fail-under", "80"]
