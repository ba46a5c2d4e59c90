"""The report's pictures, as data URIs: plots by matplotlib, boards with boxes by Pillow."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from globalmanager.demo.figures import RoundFigures
from sedna.common.pictures import read_pixels
from sedna.common.types import Box

INK, MUTED, GOOD, BAD, ACCENT = "#1f2933", "#9aa5b1", "#2f855a", "#c53030", "#2b6cb0"
CLASS_COLOURS = ("#c53030", "#2b6cb0", "#2f855a", "#b7791f", "#6b46c1", "#0987a0")
OUTCOME_COLOURS = {"Deployed": GOOD, "Rejected": BAD, "Failed": BAD, "Inconclusive": MUTED}
LABEL_ROOM = 0.1
"""Dots lower than this have their label above, clear of the axis."""

THUMBNAIL = 460
"""Side of a board picture in pixels; boards have 640."""


def _data_uri(payload: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(payload).decode()}"


def _finish(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    return _data_uri(buffer.getvalue(), "svg+xml")


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    return figure, axes


def f1_over_rounds(before: float, rounds: Sequence[RoundFigures]) -> str:
    """F1 on the hold-out: the model in service as a step line, every candidate as a dot in its outcome's colour."""
    figure, axes = _axes(5.3, 3.2)
    serving, xs = [before], [0]
    for place, entry in enumerate(rounds, start=1):
        if entry.candidate_f1 is not None:
            axes.scatter(place, entry.candidate_f1, s=55, color=OUTCOME_COLOURS.get(entry.outcome, MUTED), zorder=3)
            note = f"{entry.candidate_f1:.2f} {entry.outcome.lower()}"
            beside = (0, -14 if entry.candidate_f1 > 0.15 else 8)  # below the dot, unless that is on the axis
            axes.annotate(
                note, (place, entry.candidate_f1), beside, textcoords="offset points", ha="center", fontsize=8
            )
        deployed = entry.outcome == "Deployed" and entry.candidate_f1 is not None
        serving.append(entry.candidate_f1 if deployed and entry.candidate_f1 is not None else serving[-1])
        xs.append(place)
    axes.step([*xs, xs[-1] + 0.4], [*serving, serving[-1]], where="post", color=ACCENT, linewidth=2, zorder=2)
    axes.annotate(f"initial {before:.2f}", (0, before), (4, 6), textcoords="offset points", fontsize=8)
    axes.set(xlim=(-0.3, xs[-1] + 0.5), ylim=(0, 1), ylabel="F1 at IoU 0.5, frozen hold-out", xlabel="round")
    axes.set_xticks(xs, ["start", *(str(entry.round) for entry in rounds)])
    return _finish(figure)


def class_f1_bars(names: Sequence[str], before: Sequence[float], after: Sequence[float]) -> str:
    """F1 of every class on the hold-out, first and last model in service."""
    figure, axes = _axes(5.3, 3.2)
    places = range(len(names))
    axes.bar([place - 0.2 for place in places], before, 0.38, label="before", color=MUTED)
    axes.bar([place + 0.2 for place in places], after, 0.38, label="after", color=ACCENT)
    axes.set_xticks(list(places), list(names), rotation=20)
    axes.set(ylim=(0, 1), ylabel="F1 at IoU 0.5")
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    return _finish(figure)


def sample_bars(counts: Mapping[str, int]) -> str:
    """How many boards were streamed, kept as hard, kept for audit, stored."""
    figure, axes = _axes(4.6, 3.0)
    bars = axes.barh(list(counts), list(counts.values()), color=ACCENT)
    axes.bar_label(bars, padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("boards")
    return _finish(figure)


def upload_line(points: Sequence[tuple[float, int]]) -> str:
    """Bytes uploaded over time: (seconds since start, MiB so far)."""
    figure, axes = _axes(4.6, 3.0)
    axes.plot([second for second, _ in points], [size / 2**20 for _, size in points], color=ACCENT, linewidth=2)
    axes.set(xlabel="seconds since start", ylabel="MiB uploaded", ylim=(0, None))
    return _finish(figure)


def stage_bars(seconds: Mapping[str, float]) -> str:
    """Where the time went."""
    figure, axes = _axes(6.4, 0.42 * len(seconds) + 0.8)
    bars = axes.barh(list(seconds), list(seconds.values()), color=ACCENT)
    axes.bar_label(bars, fmt="%.1f s", padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    return _finish(figure)


def board(path: Path, boxes: Sequence[Box], class_names: Sequence[str]) -> str:
    """A board with boxes, each with class name and score."""
    picture = Image.fromarray(read_pixels(path))
    scale = THUMBNAIL / max(picture.size)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=12)
    for box in boxes:
        colour = CLASS_COLOURS[box.label % len(CLASS_COLOURS)]
        corners = [value * scale for value in (box.x1, box.y1, box.x2, box.y2)]
        draw.rectangle(corners, outline=colour, width=2)
        name = class_names[box.label] if box.label < len(class_names) else str(box.label)
        text = name if box.score is None else f"{name} {box.score:.2f}"
        anchor = (corners[0], max(corners[1] - 15, 0))
        draw.rectangle(draw.textbbox(anchor, text, font=font), fill=colour)
        draw.text(anchor, text, fill="white", font=font)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return _data_uri(buffer.getvalue(), "png")
