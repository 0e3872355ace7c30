"""Every row of the contract's tables of errors, and what it means for a job."""

import json
from datetime import UTC, datetime

import hiapi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Code
from bot.hiapi import verdict, wire

NOW = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)


def fault(status, *, error_code=None, message="told", headers=None):
    body = {"code": status, "message": message, "data": None, "error_code": error_code}
    return wire.error(wire.Answer(status, headers or {}, json.dumps(body).encode(), NOW))


def a_task(*, status="fail", code=None, message=None):
    error = {"code": code, "message": message}
    data = {"taskId": "tk-1", "model": "m", "status": status, "error": error}
    return wire.callback(json.dumps(data).encode())


@pytest.mark.parametrize(
    ("status", "error_code", "message", "action", "code"),
    [
        (400, "INVALID_REQUEST", "aspect_ratio must be one of", "refuse", Code.BAD_REQUEST),
        (400, None, "no", "refuse", Code.BAD_REQUEST),
        (400, "INVALID_REQUEST", "rejected by our content policy", "refuse", Code.REFUSED_PROMPT),
        (400, "content_policy_violation", "no", "refuse", Code.REFUSED_PROMPT),
        (400, "INVALID_REQUEST", "input_urls must be public", "refuse", Code.BAD_REFERENCE),
        (400, "INVALID_REQUEST", "unknown model gpt-x", "refuse", Code.MODEL_GONE),
        (400, "INVALID_REQUEST", "resolution not supported by model", "refuse", Code.BAD_REQUEST),
        (400, "MODEL_UNAVAILABLE", "no", "refuse", Code.MODEL_GONE),
        (503, "MODEL_UNAVAILABLE", "no", "refuse", Code.MODEL_GONE),
        (503, "model_not_found", "no", "refuse", Code.MODEL_GONE),
        (400, "TASK_FAILED", "declined", "refuse", Code.FAILED),
        (500, "TASK_FAILED", "flagged as NSFW", "refuse", Code.REFUSED_PROMPT),
        (401, None, "no", "halt", Code.MISCONFIGURED),
        (402, "INSUFFICIENT_QUOTA", "no", "halt", Code.NO_CREDIT),
        (402, None, "no", "halt", Code.NO_CREDIT),
        (403, "insufficient_user_quota", "no", "halt", Code.NO_CREDIT),
        (429, "insufficient_quota", "no", "halt", Code.NO_CREDIT),
        (403, None, "your key has no access by policy", "halt", Code.MISCONFIGURED),
        (403, None, "blocked by the safety system", "refuse", Code.REFUSED_PROMPT),
        (302, None, "moved", "halt", Code.MISCONFIGURED),
        (404, None, "no such route", "refuse", Code.MISCONFIGURED),
        (405, None, "no", "refuse", Code.MISCONFIGURED),
        (408, None, "no", "resend", Code.BUSY),
        (409, "IDEMPOTENCY_KEY_PROCESSING", "no", "resend", Code.BUSY),
        (409, None, "no", "refuse", Code.INTERNAL),
        (413, None, "too large", "refuse", Code.BAD_REQUEST),
        (415, None, "no", "refuse", Code.INTERNAL),
        (422, "IDEMPOTENCY_KEY_MISMATCH", "no", "refuse", Code.INTERNAL),
        (422, None, "no", "refuse", Code.BAD_REQUEST),
        (429, None, "rate limit policy", "resend", Code.BUSY),
        (500, None, "our privacy policy", "resend", Code.BUSY),
        (502, None, "no", "resend", Code.BUSY),
        (503, None, "no", "resend", Code.BUSY),
        (504, None, "no", "resend", Code.BUSY),
        (504, "TASK_TIMEOUT", "no", "resend", Code.TIMED_OUT),
        (500, "STORAGE_UNAVAILABLE", "no", "resend", Code.NOT_STORED),
    ],
)
def test_a_failed_create(status, error_code, message, action, code):
    found = verdict.judge(fault(status, error_code=error_code, message=message))
    assert (found.action, found.code) == (action, code)


@pytest.mark.parametrize(
    ("status", "error_code", "certain"),
    [
        (401, None, True),
        (402, "INSUFFICIENT_QUOTA", True),
        (403, None, True),
        (429, None, True),
        (429, "insufficient_quota", True),
        (503, None, True),
        (302, None, False),
        (408, None, False),
        (409, "IDEMPOTENCY_KEY_PROCESSING", False),
        (429, "IDEMPOTENCY_KEY_PROCESSING", False),
        (500, None, False),
        (500, "insufficient_quota", False),
        (502, None, False),
        (503, "TASK_TIMEOUT", False),
        (504, None, False),
    ],
)
def test_what_was_turned_away_made_no_task(status, error_code, certain):
    assert verdict.judge(fault(status, error_code=error_code)).turned_away is certain


@pytest.mark.parametrize("status", [401, 403, 429, 503])
@pytest.mark.parametrize("body", [b"", b"<html>busy</html>", b"[]"])
def test_of_what_a_proxy_says_nothing_follows(status, body):
    error = wire.error(wire.Answer(status, {}, body, NOW))
    assert not verdict.judge(error).turned_away


def test_no_answer_leaves_the_outcome_unknown_so_it_is_sent_again():
    assert verdict.judge(hiapi.APIConnectionError("reset")).action == "resend"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"code":200,"data":{}}'])
def test_an_unusable_success_is_sent_again(body):
    with pytest.raises(hiapi.APIError) as caught:
        wire.created(wire.Answer(200, {}, body, NOW))
    assert verdict.judge(caught.value).action == "resend"


@pytest.mark.parametrize("status", [401, 402, 403])
def test_whatever_stops_the_stage_is_told_to_the_operator(status):
    assert verdict.judge(fault(status)).operator


@pytest.mark.parametrize(
    ("error_code", "operator"),
    [("INVALID_REQUEST", False), ("MODEL_UNAVAILABLE", True), ("IDEMPOTENCY_KEY_MISMATCH", True)],
)
def test_of_refusals_the_operator_hears_what_is_his(error_code, operator):
    assert verdict.judge(fault(400, error_code=error_code)).operator is operator


def test_the_wait_the_server_asked_for_is_handed_on():
    assert verdict.judge(fault(429, headers={"Retry-After": "7"})).after == 7.0
    assert verdict.judge(fault(503)).after is None
    assert verdict.judge(fault(409, error_code="IDEMPOTENCY_KEY_PROCESSING")).after == 5.0


def test_a_prompt_quoted_in_a_message_cannot_stop_the_stage():
    quoted = "invalid prompt: 'insufficient_quota and insufficient balance'"
    assert verdict.judge(fault(400, message=quoted)).action == "refuse"


@given(
    status=st.integers(100, 599),
    error_code=st.none() | st.text(max_size=30),
    message=st.text(max_size=60),
)
def test_every_fault_has_a_verdict_and_no_refusal_hides_an_unknown_outcome(
    status, error_code, message
):
    found = verdict.judge(fault(status, error_code=error_code, message=message))
    if status == 429 or (status >= 500 and not (error_code or "").isascii()):
        assert found.action == "resend"
    if found.action == "halt":
        assert found.operator


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("TASK_FAILED", "task failed", Code.FAILED),
        (None, None, Code.FAILED),
        ("SOMETHING_NEW", "odd", Code.FAILED),
        ("TASK_FAILED", "rejected by content policy", Code.REFUSED_PROMPT),
        ("TASK_FAILED", "Blocked by Safety system", Code.REFUSED_PROMPT),
        ("TASK_FAILED", "prompt was moderated", Code.REFUSED_PROMPT),
        ("content_policy_violation", None, Code.REFUSED_PROMPT),
        ("INVALID_REQUEST", "policy violation", Code.REFUSED_PROMPT),
        ("TASK_FAILED", "failed to download image 2", Code.BAD_REFERENCE),
        ("TASK_FAILED", "reference image unreachable", Code.BAD_REFERENCE),
        ("TASK_FAILED", "Invalid image", Code.BAD_REFERENCE),
        ("INVALID_REQUEST", "input_urls[0] cannot be fetched", Code.BAD_REFERENCE),
        ("TASK_FAILED", "failed to download the generated image", Code.FAILED),
        ("TASK_FAILED", "upstream returned no image_url", Code.FAILED),
        ("TASK_TIMEOUT", "timeout policy", Code.TIMED_OUT),
        ("STORAGE_UNAVAILABLE", "cannot store image", Code.NOT_STORED),
        ("MODEL_UNAVAILABLE", "gone", Code.MODEL_GONE),
        ("INVALID_REQUEST", "bad ratio", Code.BAD_REQUEST),
    ],
)
def test_a_failed_task(code, message, told):
    assert verdict.judge_task(a_task(code=code, message=message)) is told


def test_a_success_without_a_picture_is_a_failure_too():
    assert verdict.judge_task(a_task(status="success")) is Code.NO_PICTURE
