"""People at work on the job of a world: what each of them does is one call."""

from __future__ import annotations

from typing import Any

from fixtures_gm import KEY, World, job_spec
from globalmanager.db.label_values import AnswerKind, Draft
from globalmanager.labelling.answering import GivenAnswer, answer, withdraw
from globalmanager.labelling.claiming import ClaimWish, claim, give_back, save_draft
from sedna.common.types import Annotation, Box, Prediction

RIGHT = Annotation(boxes=(Box(x1=1, y1=1, x2=5, y2=5, label=0),))
OTHER = Annotation(boxes=(Box(x1=6, y1=6, x2=8, y2=8, label=1),))
LEASE = 600


def drawn(*corners: float, label: int = 0) -> Annotation:
    x1, y1, x2, y2 = corners
    return Annotation(boxes=(Box(x1=x1, y1=y1, x2=x2, y2=y2, label=label),))


def of_class(label: int) -> Annotation:
    return Annotation(label=label)


class People:
    """A job that is labelled by several. Without ``audits`` no claim draws one."""

    def __init__(self, world: World, *, audits: bool = False, **labels: Any) -> None:
        self.world = world
        self.draw = 0.0 if audits else 0.999
        self.apply(**labels)

    def apply(self, *, class_names: tuple[str, ...] = ("good", "bad"), **labels: Any) -> None:
        self.world.apply({**job_spec(labels=labels), "classNames": list(class_names)})

    @property
    def now(self) -> Any:
        return self.world.clock.now()

    def sample(self, **record: Any) -> str:
        record.setdefault("prediction", Prediction())
        return self.world.sample(label=None, **record)

    def claim(self, person: str, limit: int = 3, **wish: Any) -> list[str]:
        return [task.sample_id for task in self.claims(person, limit, **wish).tasks]

    def claims(self, person: str, limit: int = 3, **wish: Any) -> Any:
        return claim(self.world.db, KEY, person, ClaimWish(limit=limit, **wish), self.now, lambda: self.draw)

    def answer(
        self, person: str, sample: str, annotation: Annotation | None = RIGHT, kind: str | None = None,
        key: str | None = None, **given: Any,
    ) -> Any:  # fmt: skip
        if kind is None:
            kind = "boxes" if annotation is not None and annotation.boxes else "class"
        said = GivenAnswer(kind=AnswerKind(kind), annotation=annotation, **{"base_revision": 0, **given})
        return answer(self.world.db, KEY, sample, person, said, self.now, idempotency_key=key)

    def withdraw(self, person: str, answer_id: int) -> Any:
        return withdraw(self.world.db, KEY, answer_id, person, self.now)

    def skip(self, person: str, sample: str) -> None:
        give_back(self.world.db, KEY, sample, person, self.now, skip=True)

    def give_back(self, person: str, sample: str) -> None:
        give_back(self.world.db, KEY, sample, person, self.now, skip=False)

    def draft(self, person: str, sample: str, **draft: Any) -> Any:
        return save_draft(self.world.db, KEY, sample, person, Draft(**draft), self.now)
