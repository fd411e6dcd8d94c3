"""Face embeddings (dlib's 128 numbers) of a folder or zip archive of aligned faces, for `trainer evaluate --features-*`.

    pip install dlib-bin face-recognition-models "setuptools<80" numpy pillow
    python docs/compare/embed.py IMAGES OUT.npy [COUNT]

Images are expected to be aligned faces and only resized (150 x 150, cubic): no detector, no landmarks.
"""

import io
import pathlib
import sys
import zipfile

import dlib
import face_recognition_models
import numpy as np
from PIL import Image

source, out = pathlib.Path(sys.argv[1]), sys.argv[2]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 3000
ending = (".png", ".jpg", ".jpeg", ".pgm")
if source.is_dir():
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in ending)
    read = lambda p: p.read_bytes()
else:
    archive = zipfile.ZipFile(source)
    files = sorted(n for n in archive.namelist() if n.lower().endswith(ending))
    read = archive.read
# Evenly spaced, as `trainer evaluate` selects them.
files = [files[i * len(files) // min(count, len(files))] for i in range(min(count, len(files)))]
net = dlib.face_recognition_model_v1(face_recognition_models.face_recognition_model_location())
rows = []
for file in files:
    image = Image.open(io.BytesIO(read(file))).convert("RGB").resize((150, 150), Image.BICUBIC)
    rows.append(list(net.compute_face_descriptor(np.asarray(image))))
np.save(out, np.array(rows, dtype=np.float32))
print(out, np.shape(rows))
