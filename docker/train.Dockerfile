# Training on an NVIDIA GPU: docker build -t routegym-train -f docker/train.Dockerfile .
# PyTorch's wheels bring CUDA's libraries; the host needs the driver and the NVIDIA Container Toolkit.
FROM nvidia/cuda:12.6.3-base-ubuntu22.04

WORKDIR /routegym
COPY . .
ENV ROUTEGYM_CACHE=/routegym/cache
RUN docker/install_python.sh && docker/install.sh /opt/routegym view,train
ENV PATH=/opt/routegym/bin:$PATH

VOLUME ["/routegym/cache", "/routegym/results"]

CMD ["python", "run_eval.py", "--help"]
