#!/usr/bin/env bash
# Instructions of a face by ncnn on 64-bit Arm under QEMU, where it is installed nowhere:
#
#   pip install pnnx && pnnx faces.onnx 'inputshape=[1,100]' fp16=0
#   runtime/engines/arm/ncnn.sh faces.ncnn.param faces.ncnn.bin 100
#
# The last argument is the length of the latent. Python for Arm comes from Debian and ncnn from PyPI; both are unpacked into
# target/ncnn and nothing is installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
param=$(realpath "$1") bin=$(realpath "$2") latent=$3
folder=$here/../../../target/ncnn
mkdir -p "$folder"/{state/lists/partial,cache/archives/partial,debs,root,wheel}
cd "$folder"
if [ ! -e wheel/ncnn ]; then
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main" > sources.list
  options=(-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$PWD/state" -o Dir::State::status=/dev/null
    -o Dir::Cache="$PWD/cache" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::sourcelist="$PWD/sources.list")
  apt-get "${options[@]}" update
  (cd debs && apt-get "${options[@]}" download libc6 libgcc-s1 libstdc++6 libgomp1 zlib1g libexpat1 libffi8 \
    python3.11-minimal libpython3.11-minimal libpython3.11-stdlib)
  for package in debs/*.deb; do dpkg -x "$package" root; done
  pip download --no-deps --only-binary=:all: --platform manylinux_2_28_aarch64 --python-version 311 --dest wheel ncnn
  (cd wheel && unzip -qo ncnn-*.whl)
fi
cc -O2 -shared -fPIC -o count.so "$here/count.c"
cat > faces.py <<'PY'
import importlib.util
import sys

module, param, binary, latent, half, faces = sys.argv[1:]
spec = importlib.util.spec_from_file_location("ncnn", module)
ncnn = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ncnn)
net = ncnn.Net()
net.opt.num_threads = 1
net.opt.use_fp16_arithmetic = net.opt.use_fp16_storage = net.opt.use_fp16_packed = half == "f16"
net.load_param(param)
net.load_model(binary)
x = ncnn.Mat(int(latent))
for i in range(int(latent)):
    x[i] = (i * 37 % 29 - 14) / 10
for _ in range(int(faces)):
    extractor = net.create_extractor()
    extractor.input("in0", x)
    extractor.extract("out0")
PY
module=$(echo "$PWD"/wheel/ncnn/ncnn.cpython-*.so)
# `count CPU PRECISION FACES`: instructions of the whole process.
count() {
  qemu-aarch64 -cpu "$1" -L root -E LD_LIBRARY_PATH="$PWD/wheel/ncnn.libs:$PWD/root/usr/lib/aarch64-linux-gnu" \
    -E PYTHONHOME="$PWD/root/usr" -plugin "$PWD/count.so" root/usr/bin/python3.11 \
    faces.py "$module" "$param" "$bin" "$latent" "$2" "$3" 2>&1 | awk '/^instructions/ { print $2 }'
}
for cpu in cortex-a72 cortex-a76 max; do
  for precision in f32 f16; do
    few=$(count $cpu $precision 2) many=$(count $cpu $precision 6)
    echo "$cpu $precision: $(((many - few) / 4)) instructions per face"
  done
done
