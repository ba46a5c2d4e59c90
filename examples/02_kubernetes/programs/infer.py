"""Serve the model over HTTP: POST a PNG to /predict. Runs in the pod of ``deploySpec.template``."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from interface import Estimator
from parts import CLASSES
from PIL import Image

from sedna.common.pictures import decode
from sedna.core.incremental_learning import IncrementalLearning

JOB = IncrementalLearning(estimator=Estimator, hard_example_mining=IncrementalLearning.get_hem_algorithm_from_config())
HARD = Path(os.environ.get("HE_SAVED_URL", "/tmp/hard"))  # noqa: S108
SAVING = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, {"status": "ok"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        picture = np.asarray(Image.fromarray(decode(body).pixels).convert("L"))
        probabilities, _, hard = JOB.inference(picture[None], post_process=lambda found: found[0])
        if hard:
            self.keep(body)
        best = int(probabilities[0].argmax())
        self.answer(200, {"class": CLASSES[best], "score": float(probabilities[0][best]), "hard": hard})

    def keep(self, body):
        """Hard examples wait here for somebody to label them."""
        with SAVING:
            HARD.mkdir(parents=True, exist_ok=True)
            number = len(list(HARD.iterdir()))
            (HARD / f"{number:06}.png").write_bytes(body)

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """A line for each picture would be all that the log holds."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8000), Handler).serve_forever()
