"""A client that asks production all the while, and writes down whatever is not a good answer."""

import threading
import time
from collections import Counter
from types import TracebackType

import requests

ANSWER_SECONDS = 30
PAUSE_SECONDS = 0.06  # between two requests of one client: it watches, it does not load


class Poller:
    """Clients of one HTTP API; use it in a `with` statement.

    Args:
        url: of the API; may be changed while nobody asks.
        clients: how many ask side by side.
    """

    def __init__(self, url: str, clients: int = 1) -> None:
        self.url = url
        self.answers: Counter[str] = Counter()  # by the version that gave them
        self.failures: list[str] = []
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask_on, name="client") for _ in range(clients)
        ]

    def __enter__(self) -> "Poller":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    @property
    def asked(self) -> int:
        """How many requests were answered, well or not."""
        return self.answers.total() + len(self.failures)

    def wait_for_request(self) -> None:
        """Wait until a request that began after this call is answered by each client."""
        wanted = self.asked + 2 * len(self._threads)
        with self._changed:
            self._changed.wait_for(lambda: self.asked >= wanted, timeout=ANSWER_SECONDS * 2)
        if self.asked < wanted:
            raise RuntimeError("The polling clients have stopped: nothing is watched.")

    def _ask_on(self) -> None:
        with requests.Session() as session:
            while not self._ending.is_set():
                version, failure = self._ask(session)
                with self._changed:
                    if failure:
                        self.failures.append(failure)
                    else:
                        self.answers[version] += 1
                    self._changed.notify_all()
                time.sleep(PAUSE_SECONDS)

    def _ask(self, session: requests.Session) -> tuple[str, str]:
        """The version that answered, and what was wrong with the answer, if anything was."""
        try:
            answer = session.post(
                f"{self.url}/predict", json={"inputs": "a good film"}, timeout=ANSWER_SECONDS
            )
            if answer.status_code != 200:
                return "", f"status {answer.status_code}: {answer.text[:200]}"
            label, version = answer.json()["label"], answer.headers.get("X-Model-Version", "")
        except (requests.RequestException, KeyError, ValueError) as error:
            return "", f"{type(error).__name__}: {error}"
        good = label == "POSITIVE" and version
        return version, "" if good else f"label {label!r} from version {version!r}"
