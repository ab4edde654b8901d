"""What is measured: the scenarios of `load/`, the figures of each, and how long a run of it takes."""

from dataclasses import dataclass, field

# What is measured of a server while it works.
BUSY = {
    "server_us": "server CPU, us each",
    "server_kernel_us": "of it in the kernel, us each",
    "per_second": "per second",
    "p50_us": "p50, us",
    "p99_us": "p99, us",
    "p999_us": "p99.9, us",
    "server_cpu": "server CPU, cores",
    "load_cpu": "generator CPU, cores",
}
REORDERED = {"reordered": "share out of order"}
IN_TIME = {"in_time": "share in time"}

# For these there is no ratio: they say how a scenario went, not how good a server is.
WITHOUT_RATIO = {
    "server_cpu", "load_cpu", "in_time", "reordered", "descriptors_left", "descriptors_left_again", "held_mb",
    "slow_ratio", "slow_heard", "slow_closed",
}


@dataclass
class Scenario:
    """One run of the generator, as it is asked for by name."""

    figures: dict = field(default_factory=lambda: dict(BUSY))
    # Seconds that a run takes beside those of the measured span and its warm-up.
    around: int = 2
    # How many measured spans a run has.
    spans: float = 1.25
    # The profile that servers are started with.
    profile: str = "bench"
    # More rounds than this are not done.
    rounds: int = 1_000

    def seconds(self, each):
        return self.around + self.spans * each


SCENARIOS = {
    "idle": Scenario({
        "rss": "resident, bytes each",
        "pss": "proportional, bytes each",
        "rss_left_mb": "resident after all left, MB",
        "descriptors_left": "open descriptors more than before",
        "rss_again": "resident the second time, bytes each",
        "pss_again": "proportional the second time, bytes each",
        "rss_left_again_mb": "resident after all left again, MB",
        "descriptors_left_again": "open descriptors more than before",
    }, around=42, spans=0),
    "polling_idle": Scenario({
        "rss_without": "no request, resident, bytes each",
        "rss_parked": "GET parked, resident, bytes each",
        "pss_parked": "GET parked, proportional, bytes each",
    }, around=11, spans=0),
    "echo": Scenario(),
    "ack": Scenario(),
    "binary": Scenario(),
    "msgpack": Scenario(profile="bench-msgpack"),
    "polling_echo": Scenario(),
    "broadcast_paced": Scenario(BUSY | REORDERED | IN_TIME),
    "broadcast_flat": Scenario(BUSY | REORDERED),
    "broadcast_ack": Scenario(),
    "rooms": Scenario(BUSY | REORDERED, around=3),
    "latency_echo": Scenario(BUSY | IN_TIME),
    "latency_broadcast": Scenario(BUSY | REORDERED | IN_TIME),
    "slow_reader": Scenario({
        "p99_us": "p99 while all read, us",
        "p99_beside_us": "p99 beside the slow one, us",
        "slow_ratio": "the second p99 of the first",
        "in_time": "share in time",
        "held_mb": "resident more than before, MB",
        "slow_heard": "share that the slow one had",
        "slow_closed": "share of slow ones closed",
    }, spans=1.75),
    "handshake_upgrade": Scenario(),
    "handshake_websocket": Scenario(),
    "storm": Scenario({
        "server_us": "server CPU, us each",
        "all_joined_ms": "until all have joined, ms",
        "server_cpu": "server CPU, cores",
        "load_cpu": "generator CPU, cores",
    }, spans=1),
    "scale_idle": Scenario(
        {f"idle_{size}": f"{size:,} clients: resident, bytes each" for size in (100, 1_000, 10_000, 19_000)},
        around=14, spans=0, rounds=3,
    ),
    "scale_flat": Scenario(
        {f"flat_{size}_us": f"{size:,} members: server CPU, us each" for size in (100, 1_000, 10_000)},
        around=5, spans=1.9, rounds=3,
    ),
    "scale_paced": Scenario(
        {f"paced_{size}_us": f"{size:,} members: server CPU, us each" for size in (100, 1_000, 10_000)},
        around=5, spans=1.9, rounds=3,
    ),
    "scale_rooms": Scenario(
        {f"rooms_{number}_us": f"among {number:,}: server CPU, us each" for number in (1, 100, 10_000)},
        around=3, spans=1.9, rounds=3,
    ),
}
