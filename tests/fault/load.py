"""What is written into the topic while things fail: upserts, deletes and bank transfers over a bounded number of keys.

Two producers, each with keys of its own, so that a key's versions rise in the log's order: an idempotent one (`k…`), and one
whose transactions hold transfers between accounts (`a…`), each a debit and a credit. A share of those is aborted. A key
stands in one partition for ever, whatever partitions are added."""

import random
import threading
import time
import uuid

from confluent_kafka import Consumer, KafkaException, TopicPartition

TICK_S = 0.05
BANK_BACK_WITHIN_S = 120.0
TRANSFERS_SHARE = 0.2
ACCOUNTS = 200


class Load(threading.Thread):
    """Sends `rate` records a second, until `finish` or `end`. What the broker has acknowledged stands in `acked`."""

    def __init__(self, kafka, topic, partitions, seed, rate=6000, keys=2000, aborted=0.1, bad=0.0, timestamp=None):
        super().__init__(daemon=True, name="load")
        self.kafka, self.topic, self.rate, self.keys, self.aborted = kafka, topic, rate, keys, aborted
        self.partitions, self.bad = partitions, bad
        self.rng = random.Random(seed)
        self.timestamp = timestamp or (lambda rng: 0)  # In milliseconds; 0 is now.
        self.sequence = 0
        self.versions = {}
        self.accounts = {f"a{i}": (0, 0) for i in range(ACCOUNTS)}  # version, balance
        self.banks = []  # All are kept: one that goes while its requests are under way brings the interpreter down.
        self.acked, self.transactions, self.aborts = {}, 0, 0
        self.goal, self.ending, self.problem = None, threading.Event(), None

    @property
    def sent(self):
        return self.sequence

    def run(self):
        try:
            self._run()
        except Exception as problem:  # noqa: BLE001
            self.problem = problem

    def _run(self):
        plain = self.kafka.new_producer(enable_idempotence=True)
        self.bank = self._open_bank()
        began, owed = time.monotonic(), 0.0
        while not self.ending.is_set() and (self.goal is None or self.sequence < self.goal):
            due = (time.monotonic() - began) * self.rate
            count = min(int(due - owed), 20_000)
            owed += count
            transfers = int(count * TRANSFERS_SHARE / 2)
            for _ in range(count - 2 * transfers):
                self._change(plain)
            plain.poll(0)
            if transfers:
                self._transfer(transfers)
            self.ending.wait(TICK_S)
        assert plain.flush(120) == 0, "the broker does not take the load's records"

    def _send(self, producer, key, value, acked):
        home = int(key[1:]) % self.partitions

        def delivered(error, message):
            if error is None:
                acked.append((message.partition(), message.offset()))
        while True:
            try:
                producer.produce(self.topic, key=key, value=value, partition=home, on_delivery=delivered,
                                 timestamp=self.timestamp(self.rng))
                return
            except BufferError:
                producer.poll(0.1)

    def _value(self, producer, version, amount):
        self.sequence += 1
        made = uuid.UUID(int=self.rng.getrandbits(128))
        return (f'{{"uuid": "{made}", "producer": {producer}, "seq": {self.sequence}, "version": {version}, '
                f'"amount": {amount}}}')

    def _change(self, producer):
        number = self.rng.randrange(self.keys)
        version = self.versions[number] = self.versions.get(number, 0) + 1
        if self.rng.random() < 0.1:
            self.sequence += 1
            value = None
        elif self.rng.random() < self.bad:
            self.sequence += 1
            value = "bad"
        else:
            value = self._value(1, version, self.rng.randrange(1000))
        self._send(producer, f"k{number}", value, self.acked.setdefault("plain", []))

    def _transfer(self, count):
        after, acked = dict(self.accounts), []
        self.transactions += 1
        try:
            committed = self._in_transaction(count, after, acked)
        except KafkaException:
            # As any service: a new producer of that name ends what the former left open, one way or the other.
            self.bank = self._open_bank()
            committed = bool(acked) and self._is_committed(*acked[0])
        if not committed:
            self.aborts += 1
            return
        self.accounts = after
        self.acked.setdefault("bank", []).extend(acked)

    def _open_bank(self):
        """Waits for a coordinator that is starting, or moves."""
        deadline = time.monotonic() + BANK_BACK_WITHIN_S
        while True:
            # While a transaction is open nobody reads past it: one broker that does not answer is not waited for.
            producer = self.kafka.new_producer(transactional_id="bank-" + self.topic, transaction_timeout_ms=60_000,
                                               socket_timeout_ms=10_000)
            self.banks.append(producer)
            try:
                producer.init_transactions(20)
                return producer
            except KafkaException:
                if self.ending.is_set() or time.monotonic() > deadline:
                    raise

    def _in_transaction(self, count, after, acked):
        """Whether it was committed. Raises where only a new producer can tell."""
        producer = self.bank
        producer.begin_transaction()
        for _ in range(count):
            amount = self.rng.randrange(1, 100)
            for key, change in zip(self.rng.sample(list(after), 2), (-amount, amount)):
                version, balance = after[key]
                after[key] = (version + 1, balance + change)
                self._send(producer, key, self._value(2, *after[key]), acked)
        if self.rng.random() < self.aborted:
            producer.abort_transaction(60)
            return False
        while True:
            try:
                producer.commit_transaction(60)
                return True
            except KafkaException as problem:
                error = problem.args[0]
                if error.txn_requires_abort():
                    producer.abort_transaction(60)
                    return False
                if not error.retriable():
                    raise

    def _is_committed(self, partition, offset):
        """Of a record whose transaction has ended."""
        consumer = Consumer({"bootstrap.servers": self.kafka.brokers, "group.id": "load-" + self.topic,
                             "isolation.level": "read_committed", "enable.auto.commit": False, "enable.partition.eof": True})
        try:
            consumer.assign([TopicPartition(self.topic, partition, offset)])
            deadline = time.monotonic() + BANK_BACK_WITHIN_S
            while True:
                message = consumer.poll(1)
                # The partition's end or a later record: this one is not given out.
                if message is not None and message.offset() is not None and message.offset() >= offset:
                    return message.error() is None and message.offset() == offset
                assert time.monotonic() < deadline, f"nobody tells what became of a transfer in {self.topic}"
        finally:
            consumer.close()

    def more(self, count, timeout=120.0):
        """Until so many more are sent."""
        goal, deadline = self.sequence + count, time.monotonic() + timeout
        while self.sequence < goal:
            assert self.problem is None and self.is_alive(), self.problem
            assert time.monotonic() < deadline, f"the load stands at {self.sequence}"
            time.sleep(0.02)

    def finish(self, count, timeout=300.0):
        """Ends it when `count` are sent, at once if they are."""
        self.goal = count
        self.join(timeout)
        assert not self.is_alive(), f"the load stands at {self.sequence} of {count}"
        assert self.problem is None, self.problem

    def end(self):
        self.ending.set()
        self.join(60)
