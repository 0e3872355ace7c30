"""The wire against honest answers, odd ones, and random bytes."""

import json
from datetime import UTC, datetime, timedelta

import hiapi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.hiapi import faults, fields, wire

NOW = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)
TASK_ID = "tk-hiapi-01K5ZX9Q7RAB3C4D5E6F7G8H9J"
READERS = (wire.created, wire.task, wire.page)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["code", "data", "error", "taskId", "url", "type"]) | st.text(),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def answer(body, *, status=200, headers=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return wire.Answer(status, headers or {}, data, NOW)


def success(data, **more):
    return answer({"code": 200, "message": "success", "data": data}, **more)


def a_task(**more):
    return {"taskId": TASK_ID, "model": "m", "status": "success", "created": 1790000000, **more}


class TestEncode:
    def test_bytes_are_compact_utf8_and_in_a_fixed_order(self):
        body = wire.encode(model="m", input={"prompt": "für", "a": 1}, callback_url=None)
        assert body == '{"input":{"a":1,"prompt":"für"},"model":"m"}'.encode()

    def test_equal_inputs_in_another_order_are_equal_bytes(self):
        first = wire.encode(model="m", input={"a": 1, "b": 2}, callback_url="https://b.example/x")
        second = wire.encode(model="m", input={"b": 2, "a": 1}, callback_url="https://b.example/x")
        assert first == second

    def test_the_callback_stands_beside_the_input(self):
        body = json.loads(wire.encode(model="m", input={}, callback_url="https://b.example/x"))
        assert body["callback"] == {"url": "https://b.example/x", "when": "final"}
        assert body["input"] == {}

    def test_half_a_surrogate_pair_is_no_reason_to_fail(self):
        assert b"a?b" in wire.encode(model="m", input={"prompt": "a\ud83db"}, callback_url=None)


class TestCreated:
    def test_the_id_and_whether_it_is_a_replay(self):
        fresh = wire.created(success({"taskId": TASK_ID}))
        assert (fresh.task_id, fresh.idempotent_replay) == (TASK_ID, False)
        headers = {"idempotent-REPLAY": "True"}
        assert wire.created(success({"taskId": TASK_ID}, headers=headers)).idempotent_replay

    @pytest.mark.parametrize(
        "task_id", [None, 7, "", "-x", "a/../b", "a" * 101, TASK_ID + "\n", "ä", ["a"]]
    )
    def test_an_id_that_cannot_be_used_leaves_the_outcome_unknown(self, task_id):
        with pytest.raises(faults.BadAnswerError):
            wire.created(success({"taskId": task_id}))

    @pytest.mark.parametrize(
        "body",
        [b"", b"<html>", b"[]", b"null", b"\xff\xfe", b'{"code": 200', b"[" * 200_000, b"9" * 5000],
    )
    def test_a_success_that_is_no_object_is_a_bad_answer(self, body):
        with pytest.raises(faults.BadAnswerError):
            wire.created(answer(body))

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (402, faults.NoCreditError),
            (401, faults.AuthenticationError),
            (500, faults.ServerError),
            (0, faults.BadAnswerError),
            (None, faults.BadAnswerError),
            ("no", faults.BadAnswerError),
            ([], faults.BadAnswerError),
            (201, faults.BadAnswerError),
        ],
    )
    def test_the_code_of_the_body_beats_http_200(self, code, kind):
        with pytest.raises(faults.AnswerError) as caught:
            wire.created(answer({"code": code, "data": {"taskId": TASK_ID}}))
        assert type(caught.value) is kind

    @pytest.mark.parametrize("code", [{}, {"code": "200"}])
    def test_a_code_left_out_or_in_quotes_contradicts_nothing(self, code):
        assert wire.created(answer({**code, "data": {"taskId": TASK_ID}})).task_id == TASK_ID

    @pytest.mark.parametrize("status", [201, 202, 204])
    def test_another_success_than_200_is_unusable(self, status):
        with pytest.raises(faults.BadAnswerError):
            wire.created(success({"taskId": TASK_ID}, status=status))


class TestTask:
    def test_a_finished_task(self):
        output = [{"url": "https://cdn.example/0.png", "type": "image", "expireAt": 1790604831}]
        task = wire.task(success(a_task(completed=1790000031, output=output, storage="temp")))
        assert (task.task_id, task.completed_at, task.storage) == (TASK_ID, 1790000031, "temp")
        assert wire.status(task) == "success"
        expires = datetime.fromtimestamp(1790604831, UTC)
        assert wire.pictures(task) == (wire.Picture("https://cdn.example/0.png", expires),)

    @pytest.mark.parametrize(
        ("given_status", "told"),
        [
            ("queued", "queued"),
            ("archiving", "archiving"),
            ("moderating", "handling"),
            ("succeeded", "handling"),
            (None, "handling"),
            (["fail"], "handling"),
            ("fail", "fail"),
        ],
    )
    def test_only_known_words_end_a_task(self, given_status, told):
        assert wire.status(wire.task(success(a_task(status=given_status)))) == told

    @pytest.mark.parametrize("completed", [0, "0", "", None, -1, "soon", True, 1e300, {}])
    def test_no_time_of_completion_is_none(self, completed):
        assert wire.task(success(a_task(completed=completed))).completed_at is None

    @pytest.mark.parametrize("output", [None, {}, {"url": "x"}, "x", 7, True])
    def test_an_output_that_is_no_list_holds_nothing(self, output):
        assert wire.task(success(a_task(output=output))).output == []

    def test_only_images_with_a_web_address_are_pictures(self):
        good = {"url": "https://cdn.example/1.png", "type": "image", "expireAt": "soon"}
        items = [
            None,
            "x",
            7,
            {"type": "image"},
            {"url": 7, "type": "image"},
            {"url": "https://cdn.example/t.png", "type": "thumbnail"},
            {"url": "ftp://cdn.example/x", "type": "image"},
            {"url": "https://", "type": "image"},
            {"url": "https://[::1", "type": "image"},
            {"url": "https://cdn.example:99999/x", "type": "image"},
            {"url": "https://cdn.example/a b", "type": "image"},
            {"url": "javascript:alert(1)", "type": "image"},
            good,
        ]
        task = wire.task(success(a_task(output=items)))
        assert wire.pictures(task) == (wire.Picture("https://cdn.example/1.png", None),)

    def test_milliseconds_are_no_time(self):
        item = {"url": "https://cdn.example/1.png", "type": "image", "expireAt": 1790604831000}
        (picture,) = wire.pictures(wire.task(success(a_task(output=[item]))))
        assert picture.expires_at is None

    def test_an_error_told_as_text_is_kept(self):
        task = wire.task(success(a_task(status="fail", error="rejected by content policy")))
        assert wire.reason(task) == "rejected by content policy"

    def test_the_reason_names_code_and_message_without_addresses(self):
        error = {"code": "TASK_FAILED", "message": "cannot read https://x.example/?sig=abc now"}
        task = wire.task(success(a_task(status="fail", error=error)))
        assert wire.reason(task) == "TASK_FAILED: cannot read <url> now"

    @pytest.mark.parametrize("error", [None, 7, [], {}, {"code": 7, "message": None}])
    def test_a_failure_without_words(self, error):
        task = wire.task(success(a_task(status="fail", error=error)))
        assert wire.reason(task) == "no reason given"

    def test_text_is_fit_for_any_database(self):
        task = wire.task(success(a_task(model="a\x00b\ud800c")))
        assert task.model == "ab?c"


class TestPage:
    def test_rows_without_a_usable_id_are_left_out(self):
        rows = [a_task(), {"taskId": "../x"}, None, 7, a_task(taskId="tk-2", status="queued")]
        page = wire.page(success({"page": 1, "size": "100", "total": 2, "tasks": rows}))
        assert [task.task_id for task in page.items] == [TASK_ID, "tk-2"]
        assert (page.page, page.size, page.total) == (1, 100, 2)

    def test_a_page_without_rows_is_not_an_empty_page(self):
        with pytest.raises(faults.BadAnswerError):
            wire.page(success({"page": 1}))


class TestCallback:
    def test_the_body_is_the_bare_task(self):
        task = wire.callback(json.dumps(a_task()).encode())
        assert (task.task_id, task.succeeded) == (TASK_ID, True)

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"data": {"taskId": "x"}}', b'{"taskId": ""}'])
    def test_a_body_without_a_task_is_refused(self, body):
        with pytest.raises(faults.BadAnswerError):
            wire.callback(body)


class TestError:
    @pytest.mark.parametrize(
        ("status", "error_code", "kind", "vendor"),
        [
            (400, "INVALID_REQUEST", faults.InvalidRequestError, hiapi.InvalidRequestError),
            (400, None, faults.InvalidRequestError, hiapi.InvalidRequestError),
            (400, "MODEL_UNAVAILABLE", faults.ModelUnavailableError, hiapi.ModelUnavailableError),
            (500, "TASK_FAILED", faults.TaskFailedError, hiapi.TaskFailedError),
            (504, "TASK_TIMEOUT", faults.TaskTimeoutError, hiapi.TaskTimeoutError),
            (
                500,
                "STORAGE_UNAVAILABLE",
                faults.StorageUnavailableError,
                hiapi.StorageUnavailableError,
            ),
            (401, None, faults.AuthenticationError, hiapi.AuthenticationError),
            (402, "INSUFFICIENT_QUOTA", faults.NoCreditError, hiapi.APIError),
            (403, None, faults.ForbiddenError, hiapi.APIError),
            (404, None, faults.NotFoundError, hiapi.NotFoundError),
            (
                409,
                "IDEMPOTENCY_KEY_PROCESSING",
                faults.IdempotencyKeyProcessingError,
                hiapi.IdempotencyKeyProcessingError,
            ),
            (409, None, faults.AnswerError, hiapi.APIError),
            (
                422,
                "IDEMPOTENCY_KEY_MISMATCH",
                faults.IdempotencyKeyMismatchError,
                hiapi.IdempotencyKeyMismatchError,
            ),
            (429, None, faults.RateLimitedError, hiapi.APIError),
            (500, None, faults.ServerError, hiapi.APIError),
            (502, "NEW_CODE", faults.ServerError, hiapi.APIError),
            (503, None, faults.ServiceUnavailableError, hiapi.ServiceUnavailableError),
            (504, None, faults.ServerError, hiapi.APIError),
            (302, None, faults.AnswerError, hiapi.APIError),
        ],
    )
    def test_each_fault_is_ours_and_the_vendors(self, status, error_code, kind, vendor):
        body = {"code": status, "message": "told", "data": None, "error_code": error_code}
        error = wire.error(answer(body, status=status))
        assert type(error) is kind
        assert isinstance(error, vendor)
        assert (error.status, error.error_code, error.message) == (status, error_code, "told")

    def test_the_gateways_envelope_is_read_too(self):
        body = {"error": {"type": "hiapi_error", "code": "rate_limit_exceeded", "message": "slow"}}
        error = wire.error(answer(body, status=429))
        assert type(error) is faults.RateLimitedError
        assert (error.error_code, error.message) == ("rate_limit_exceeded", "slow")

    def test_a_proxys_page_says_its_status_and_nothing_else(self):
        error = wire.error(answer(b"<html>our safety policy</html>", status=502))
        assert (str(error), error.error_code) == ("HTTP 502", None)

    def test_addresses_and_keys_never_show(self):
        told = (
            "see https://cdn.example/x.png?X-Amz-Signature=abc or "
            "Bearer abc.def, sk-live-1234567890, api_key=hunter2, data:image/png;base64,AAAA " * 20
        )
        body = json.dumps({"message": told}).replace("/", "\\/").encode()
        error = wire.error(answer(body, status=400))
        for shown in (str(error), error.message, error.body):
            assert len(shown) <= 300
            for secret in ("cdn.example", "abc", "1234567890", "hunter2", "AAAA"):
                assert secret not in shown

    def test_a_key_at_the_edge_of_what_is_looked_at_stays_hidden(self):
        assert "1234567890" not in faults.redact("x" * 4790 + " sk-live-1234567890")

    def test_long_letters_take_no_long_time(self):
        assert len(faults.redact("a" * 4_000_000)) == 300


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("5", 5.0),
            ("0.5", 0.5),
            ("-3", 0.0),
            ("3600", 60.0),
            ("inf", 60.0),
            ("nan", None),
            ("", None),
            ("soon", None),
            ("Thu, 05 Nov 2026 12:00:20 GMT", 20.0),
            ("Thu, 05 Nov 2026 12:00:20 -0000", 20.0),
            ("Thu, 05 Nov 2026 11:00:00 GMT", 0.0),
            ("Thu, 05 Nov 2099 11:00:00 GMT", 60.0),
        ],
    )
    def test_both_forms_are_read_and_clamped(self, value, seconds):
        assert fields.retry_after({"retry-after": value}, now=NOW) == seconds

    def test_every_error_carries_it(self):
        error = wire.error(answer(b"", status=503, headers={"Retry-After": "7"}))
        assert error.retry_after == 7.0
        assert wire.error(answer(b"", status=503)).retry_after is None


class TestRate:
    def test_the_three_headers(self):
        reset = NOW + timedelta(seconds=30)
        headers = {
            "X-RateLimit-Limit": "60",
            "x-ratelimit-remaining": "12",
            "X-RateLimit-Reset": str(int(reset.timestamp())),
        }
        assert wire.rate(headers) == wire.RateLimit(60, 12, reset)

    @pytest.mark.parametrize(
        "odd", [{"X-RateLimit-Limit": "many"}, {"X-RateLimit-Remaining": "-1"}, {}]
    )
    def test_what_cannot_be_read_is_no_limit(self, odd):
        assert wire.rate({"X-RateLimit-Reset": "1790000000", **odd}) is None


class TestNothingElseIsRaised:
    @given(body=st.binary(max_size=400), status=st.integers(100, 599))
    def test_random_bytes(self, body, status):
        self._read_all(answer(body, status=status))

    @given(body=json_values, status=st.sampled_from([200, 200, 200, 400, 429, 500]))
    def test_random_json(self, body, status):
        self._read_all(answer(body, status=status))

    @given(
        data=st.fixed_dictionaries(
            {"taskId": st.just(TASK_ID) | json_values},
            optional=dict.fromkeys(
                ("model", "status", "created", "completed", "output", "error", "route", "storage"),
                json_values,
            ),
        )
    )
    def test_random_tasks(self, data):
        self._read_all(success(data))
        self._read_all(success({"tasks": [data]}))

    @given(
        value=st.text(max_size=40)
        | st.builds(
            "{} {} {} {} {}".format,
            st.sampled_from(["Thu, 05", "05", "99"]),
            st.sampled_from(["Nov", "Foo"]),
            st.integers(0, 100_000),
            st.sampled_from(["12:00:00", "99:99:99", "1"]),
            st.sampled_from(["GMT", "+9999", "-99999999999", "+000000000000000000001"]),
        )
    )
    def test_random_headers(self, value):
        waited = fields.retry_after({"Retry-After": value}, now=NOW)
        assert waited is None or 0 <= waited <= 60
        wire.rate({f"X-RateLimit-{name}": value for name in ("Limit", "Remaining", "Reset")})

    @staticmethod
    def _read_all(given_answer):
        for read in READERS:
            try:
                told = read(given_answer)
            except faults.AnswerError as error:
                told = error
            if isinstance(told, hiapi.Task):
                wire.status(told)
                wire.pictures(told)
                wire.reason(told)
            elif isinstance(told, faults.AnswerError):
                assert len(str(told)) <= 300


class TestCourse:
    """A finished task as fields of a log line."""

    NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)

    def told(self, **more):
        return wire.course(hiapi.Task.from_dict(a_task(**more)), now=self.NOW)

    def test_how_long_it_took_and_how_late_it_is_known(self):
        end = int(self.NOW.timestamp()) - 2
        told = self.told(model="m@route", created=end - 9, completed=end)
        assert told == {"model": "m", "seconds": 9, "late": 2.0}

    def test_clocks_that_disagree_make_no_time_negative(self):
        end = int(self.NOW.timestamp()) + 5
        told = self.told(created=end + 1, completed=end)
        assert (told["seconds"], told["late"]) == (0, 0.0)

    def test_what_was_not_said_is_not_guessed(self):
        assert "late" not in self.told(created=1, completed=None)
        assert "seconds" not in self.told(created=None, completed=1)
