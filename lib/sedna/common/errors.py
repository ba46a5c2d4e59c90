"""The exception tree. A class says what the caller or the engine does next, not which module raised it.

    SednaError
    |-- UserError                    the input must change; never retried                         HTTP
    |   |-- SpecError                a job, dataset or model description is wrong                 422
    |   |-- DataError                a sample, label, archive or file is wrong                    422
    |   |-- NotFoundError            the named thing does not exist                               404
    |   |-- ConflictError            the thing exists in another shape, or is held by another     409
    |   |-- TooLargeError            over a stated limit                                          413
    |   |-- MediaTypeError           a body of a kind that is not read here                       415
    |   `-- AuthError                no, wrong or insufficient token                              401/403
    |-- PermanentError               this attempt cannot succeed; the round fails                 500
    |   |-- IntegrityError           bytes differ from their recorded sha256
    |   |-- ModelError               a model cannot be opened, or fails its self-test
    |   |-- TrainingDivergedError    the loss left the finite range more often than allowed
    |   `-- WorkerError              a worker process ended without a usable result
    `-- TemporaryError               try again after ``retry_after`` seconds                      503
        |-- StoreUnavailableError    the object store does not answer, or answers 5xx
        |-- StorageFullError         no space left, or a quota is reached
        |-- LinkUnavailableError     the other end of an edge link does not answer
        `-- StaleModuleError         a user's file was edited while a worker was started

``UserError`` messages have three parts: what is wrong, where (file, key path, name), what would be right.
"""

from __future__ import annotations


class SednaError(Exception):
    """Root of every error that this project raises on purpose.

    Args:
        message: what is wrong.
        where: file, key path or name of the thing, if there is one.
        hint: what would be right.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        self.message = _sayable(message)
        self.where = _sayable(where)
        self.hint = _sayable(hint)
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} ({self.hint})" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.__dict__.copy()))


def _sayable(text: str) -> str:
    """A message quotes what people bring; what no terminal and no answer can carry is escaped."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def _rebuild(kind: type[SednaError], state: dict[str, object]) -> SednaError:
    """Errors cross process boundaries by pickle; keyword-only arguments need help there."""
    # Past __init__, whose arguments differ from class to class.
    error = kind.__new__(kind)
    error.__dict__.update(state)
    Exception.__init__(error, str(error))
    return error


class UserError(SednaError):
    """The input must change before another try makes sense."""


class SpecError(UserError):
    """A job, dataset or model description is wrong."""


class DataError(UserError):
    """A sample, a label, an archive or a file is wrong."""


class NotFoundError(UserError):
    """The named thing does not exist."""


class ConflictError(UserError):
    """The thing exists in another shape, or is held by somebody else."""


class TooLargeError(UserError):
    """The input is over a stated limit."""


class MediaTypeError(UserError):
    """A body is of a kind that is not read here."""


class AuthError(UserError):
    """The token is missing, wrong, expired, or has too small a role.

    ``forbidden`` tells "known but not allowed" (403) from "not known" (401).
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "", forbidden: bool = False) -> None:
        self.forbidden = forbidden
        super().__init__(message, where=where, hint=hint)


class PermanentError(SednaError):
    """This attempt cannot succeed, however often it is repeated."""


class IntegrityError(PermanentError):
    """Bytes differ from their recorded sha256."""


class ModelError(PermanentError):
    """A model cannot be opened, or fails its self-test."""


class TrainingDivergedError(PermanentError):
    """The loss left the finite range more often than the divergence guard allows."""


class WorkerError(PermanentError):
    """A worker process ended without a usable result."""


class TemporaryError(SednaError):
    """The same call may succeed later.

    Args:
        retry_after: seconds to wait before the next try; a hint, not a promise.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "", retry_after: float = 1.0) -> None:
        self.retry_after = retry_after
        super().__init__(message, where=where, hint=hint)


class StoreUnavailableError(TemporaryError):
    """The object store does not answer, or answers with a server error."""


class StorageFullError(TemporaryError):
    """No space is left on a device, or a quota is reached."""


class LinkUnavailableError(TemporaryError):
    """The other end of an edge link does not answer."""


class StaleModuleError(TemporaryError):
    """A user's Python file is no longer the one that an order names; the next order names the new one."""
