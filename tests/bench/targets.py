"""What this server is to reach: each target with what was found, and the most that is allowed."""

SERVERS = ("socket.io", "socket.io-bun", "socketioxide", "python-socketio", "flask-socketio")


def of(scenario, figure="server_us", peer="ours"):
    """The median of a figure; `None` where there is none."""
    return lambda median: median(scenario, peer, figure)


def times(factor, scenario, peer):
    """So many times a peer's figure."""

    def value(median):
        base = median(scenario, peer, "server_us")
        return None if base is None else factor * base

    return value


def against(factor, scenario, peer):
    """Processor time, against so many times that of a peer."""
    return (f"{scenario}: us, against {factor:.2f} of {peer}", of(scenario), times(factor, scenario, peer))


def worst(scenario, *figures):
    """The largest of our other figures, in relation to the first."""

    def value(median):
        found = [median(scenario, "ours", figure) for figure in figures]
        return None if None in found else max(found[1:]) / found[0]

    return value


def best_peer(scenario, figure):
    """The smallest figure of all servers that are not ours."""

    def value(median):
        found = [median(scenario, peer, figure) for peer in SERVERS]
        return min((one for one in found if one is not None), default=None)

    return value


def latency(scenario):
    return (f"{scenario}: p99, us, against the best peer", of(scenario, "p99_us"), best_peer(scenario, "p99_us"))


FLOOR, FRAMES = "floor-tungstenite", "floor-frames"

TARGETS = [
    ("idle: bytes each", of("idle", "rss"), 4_000),
    ("polling_idle: bytes each, GET parked", of("polling_idle", "rss_parked"), 14_000),
    ("polling_idle: bytes each, no request", of("polling_idle", "rss_without"), 1_500),
    ("idle: resident after all left for good, MB", of("idle", "rss_left_again_mb"), 12),
    against(1.05, "echo", FLOOR),
    against(1.05, "ack", FLOOR),
    against(1.05, "binary", FLOOR),
    against(0.90, "echo", "socketioxide"),
    against(0.80, "ack", "socketioxide"),
    against(1.05, "broadcast_paced", FRAMES),
    ("broadcast_flat: us", of("broadcast_flat"), 0.50),
    against(0.60, "broadcast_flat", "socketioxide"),
    ("broadcast_paced with a flush delay of 10 ms: us", of("broadcast_paced", peer="ours-flush"), 1.5),
    ("handshake_upgrade: us", of("handshake_upgrade"), 75),
    against(1.10, "handshake_websocket", FLOOR),
    ("polling_echo: us", of("polling_echo"), 13),
    latency("latency_echo"),
    latency("latency_broadcast"),
    ("slow_reader: p99 of the others, against that before", of("slow_reader", "slow_ratio"), 1.2),
    ("scale_flat: us at 10,000 members, against 100", worst("scale_flat", "flat_100_us", "flat_10000_us"), 1.2),
    ("scale_paced: us at 10,000 members, against 100", worst("scale_paced", "paced_100_us", "paced_10000_us"), 1.2),
    ("scale_rooms: us among 100 or 10,000 rooms, against one",
     worst("scale_rooms", "rooms_1_us", "rooms_100_us", "rooms_10000_us"), 1.1),
]
