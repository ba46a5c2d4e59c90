"""Send pictures of a lot to the edge in this pod, as the camera would, and say how many it gets right.

python send_lot.py LOT [PICTURES]
"""

import io
import json
import sys
import urllib.request

import numpy as np
from parts import CLASSES, draw
from PIL import Image


def main():
    lot, count = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60
    rng = np.random.default_rng(1000 + lot)  # other pictures than those of the bucket
    right = hard = 0
    for number in range(count):
        label = number % len(CLASSES)
        file = io.BytesIO()
        Image.fromarray(draw(label, lot, rng)).save(file, "PNG")
        request = urllib.request.Request("http://127.0.0.1:8000/predict", file.getvalue())
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            found = json.load(answer)
        right += found["class"] == CLASSES[label]
        hard += found["hard"]
    print(f"lot {lot}: {right} of {count} right, {hard} hard")


if __name__ == "__main__":
    main()
