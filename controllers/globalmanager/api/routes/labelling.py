"""Labelling by people: claims, drafts, answers, reviews, and how well they agree."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import BaseModel

from globalmanager.api.deps import API_PREFIX, LABELLERS, Job, Labeller, PageQuery, Services, accepts, problems
from globalmanager.api.lookup import get_job
from globalmanager.api.services import ApiServices
from globalmanager.db.label_values import Draft, ReviewReason
from globalmanager.db.values import Page
from globalmanager.labelling.answering import AnswerResult, GivenAnswer, answer, withdraw
from globalmanager.labelling.claiming import (
    Claims,
    ClaimWish,
    DraftKept,
    claim,
    draft_of,
    give_back,
    save_draft,
)
from globalmanager.labelling.people import Agreement
from globalmanager.labelling.reviewing import (
    Decision,
    DecisionResult,
    ReviewAnswer,
    ReviewItem,
    answers_of,
    decide_review,
    list_reviews,
)
from globalmanager.labelling.summary import LabellingSummary, people_agree, summary_of
from sedna.common.types import JobKey, Sha256

router = APIRouter(prefix=f"{API_PREFIX}/jobs/{{namespace}}/{{name}}/labelling", tags=["labelling"])

SampleId = Annotated[Sha256, Path(description="sha256 of the sample's bytes")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="the same key with the same answer says it once; with another answer 409",
    ),
]


class Nothing(BaseModel, extra="forbid"):
    """An empty object."""


@router.post(
    "/claims",
    operation_id="claimSamples",
    summary="Keep samples for yourself: those that you hold, then the head of the queue",
    responses=problems(404, 409, 415, 422),
    dependencies=[LABELLERS, accepts("application/json")],
)
def post_claims(services: Services, caller: Labeller, key: Job, body: ClaimWish) -> Claims:
    """Nobody else gets them until the leases end, unless the job asks for several people's answers."""
    _require_job(services, key)
    return claim(services.db, key, caller.name, body, services.clock.now())


@router.delete(
    "/claims/{sample_id}",
    operation_id="giveBackSample",
    summary="Let others have a sample; its draft stays yours",
    status_code=204,
    responses=problems(404, 422),
)
def delete_claim(
    services: Services, caller: Labeller, key: Job, sample_id: SampleId,
    skip: Annotated[bool, Query(description="it comes last for you from now on")] = False,
) -> Response:  # fmt: skip
    _require_job(services, key)
    give_back(services.db, key, sample_id, caller.name, services.clock.now(), skip=skip)
    return Response(status_code=204)


@router.put(
    "/samples/{sample_id}/draft",
    operation_id="putDraft",
    summary="Keep what you have drawn so far, and the sample for you",
    responses=problems(404, 409, 413, 415, 422),
    dependencies=[LABELLERS, accepts("application/json")],
)
def put_draft(services: Services, caller: Labeller, key: Job, sample_id: SampleId, body: Draft) -> DraftKept:
    """409: the sample went to somebody else, or has another label; the draft is kept all the same."""
    _require_job(services, key)
    return save_draft(services.db, key, sample_id, caller.name, body, services.clock.now())


@router.get(
    "/samples/{sample_id}/draft",
    operation_id="getDraft",
    summary="What you have drawn of a sample",
    responses=problems(404, 422),
)
def read_draft(services: Services, caller: Labeller, key: Job, sample_id: SampleId) -> Draft:
    _require_job(services, key)
    return draft_of(services.db, key, sample_id, caller.name)


@router.post(
    "/samples/{sample_id}/answers",
    operation_id="answerSample",
    summary="Say what a sample shows; it is settled when all people who are wanted have answered and agree",
    status_code=201,
    responses=problems(404, 409, 413, 415, 422),
    dependencies=[LABELLERS, accepts("application/json")],
)
def post_answer(
    services: Services, caller: Labeller, key: Job, sample_id: SampleId, body: GivenAnswer,
    idempotency_key: IdempotencyKey = None,
) -> AnswerResult:  # fmt: skip
    """What cannot be taken is kept as your draft; 409 has the newer label as ``current``."""
    _require_job(services, key)
    now = services.clock.now()
    return answer(services.db, key, sample_id, caller.name, body, now, idempotency_key=idempotency_key)


@router.get(
    "/samples/{sample_id}/answers",
    operation_id="listAnswers",
    summary="What people have said of a sample; until it is settled or in review your own answers alone",
    responses=problems(404, 422),
)
def read_answers(services: Services, caller: Labeller, key: Job, sample_id: SampleId) -> tuple[ReviewAnswer, ...]:
    _require_job(services, key)
    return answers_of(services.db, key, sample_id, caller.name)


@router.post(
    "/answers/{answer_id}/withdraw",
    operation_id="withdrawAnswer",
    summary="Take an answer of yours back, unless a round has taken its label: the sample is yours again",
    responses=problems(404, 409, 415, 422),
    dependencies=[LABELLERS, accepts("application/json")],
)
def post_withdrawal(
    services: Services, caller: Labeller, key: Job, answer_id: Annotated[int, Path(ge=1, le=2**53)], body: Nothing
) -> AnswerResult:
    del body  # nothing is to be said
    _require_job(services, key)
    return withdraw(services.db, key, answer_id, caller.name, services.clock.now())


@router.get(
    "/summary",
    operation_id="getLabellingSummary",
    summary="How far the labelling is, who has done what, and how well people agree",
    responses=problems(404, 422),
    dependencies=[LABELLERS],
)
def read_summary(services: Services, key: Job) -> LabellingSummary:
    _require_job(services, key)
    return summary_of(services.db, key, services.clock.now())


@router.get(
    "/agreement",
    operation_id="getAgreement",
    summary="How well people agree: by pair, by class, and all together",
    responses=problems(404, 422),
    dependencies=[LABELLERS],
)
def read_agreement(services: Services, key: Job) -> Agreement:
    _require_job(services, key)
    return people_agree(services.db, key)


@router.get(
    "/review",
    operation_id="listReviews",
    summary="Samples about which somebody has to decide, the oldest first",
    responses=problems(404, 422),
    dependencies=[LABELLERS],
)
def read_reviews(
    services: Services, key: Job, page: Annotated[PageQuery, Depends()],
    reason: Annotated[ReviewReason | None, Query(description="why")] = None,
) -> Page[ReviewItem]:  # fmt: skip
    _require_job(services, key)
    return list_reviews(services.db, key, reason, limit=page.limit, cursor=page.cursor)


@router.post(
    "/samples/{sample_id}/decision",
    operation_id="decideSample",
    summary="Settle a sample that is in review",
    responses=problems(404, 409, 413, 415, 422),
    dependencies=[LABELLERS, accepts("application/json")],
)
def post_decision(
    services: Services, caller: Labeller, key: Job, sample_id: SampleId, body: Decision
) -> DecisionResult:
    _require_job(services, key)
    return decide_review(services.db, key, sample_id, caller.name, body, services.clock.now())


def _require_job(services: ApiServices, key: JobKey) -> None:
    with services.db.read() as session:
        get_job(session, key)
