# SPDX-License-Identifier: GPL-3.0-or-later
"""An event loop for thousands of pages in one process. A page is a generator: it yields what it
waits for, (mask of epoll, deadline), and goes on with True when that came, with False when the
time is over. What a page raises is how it ended; Loop.on_end judges that."""

import heapq
import select
import time

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
GONE = select.EPOLLRDHUP  # the peer's FIN, whatever lies before it; a reset always is an event


class Late(Exception):
    """What the page waited for did not come in time."""


class Task:
    """A page that runs."""

    __slots__ = ("generator", "page", "fd", "mask", "turn")

    def __init__(self, page, generator):
        self.page, self.generator = page, generator
        self.fd, self.mask, self.turn = -1, 0, 0


class Loop:
    def __init__(self, on_end):
        self.epoll = select.epoll()
        self.tasks = {}  # by descriptor
        self.live = set()
        self.timers, self.count = [], 0
        self.on_end = on_end  # takes the page and its exception, or None
        self.readers = {}  # functions that are called when a descriptor is readable

    def add_reader(self, fd, function):
        self.readers[fd] = function
        self.epoll.register(fd, READ)

    def start(self, page):
        task = Task(page, page.run())
        page.task = task
        self.live.add(task)
        self.step(task, None)

    def attach(self, task, fd):
        """Gives a task its socket."""
        task.fd, task.mask = fd, 0
        self.tasks[fd] = task
        self.epoll.register(fd, 0)

    def detach(self, task):
        """Takes the socket away, before it is closed."""
        if task.fd >= 0:
            self.epoll.unregister(task.fd)
            del self.tasks[task.fd]
            task.fd = -1

    def hurry(self, task, when):
        """Ends what the task waits for at that time, if it still waits for the same."""
        self.count += 1
        heapq.heappush(self.timers, (when, self.count, task, task.turn))

    def step(self, task, value):
        task.turn += 1
        try:
            mask, deadline = task.generator.send(value)
        except StopIteration:
            self.end(task, None)
            return
        except Exception as error:  # every end of a page is judged
            self.end(task, error)
            return
        if task.fd >= 0 and mask != task.mask:
            self.epoll.modify(task.fd, mask)
            task.mask = mask
        self.hurry(task, deadline)

    def end(self, task, error):
        self.detach(task)
        self.live.discard(task)
        task.page.close()
        self.on_end(task.page, error)

    def turn(self, longest=0.05):
        """Waits for events, and serves them and what is due."""
        now = time.monotonic()
        wait = min(longest, max(0.0, self.timers[0][0] - now)) if self.timers else longest
        for fd, _ in self.epoll.poll(wait, 1024):
            if fd in self.readers:
                self.readers[fd]()
            elif fd in self.tasks:
                self.step(self.tasks[fd], True)
        now = time.monotonic()
        while self.timers and self.timers[0][0] <= now:
            _, _, task, turn = heapq.heappop(self.timers)
            if task.turn == turn and task in self.live:
                self.step(task, False)
