//! Scripts over virtual time: one row for every cell of the table in `session.rs`, and for what crosses cells.
//!
//! A line is `input -> what the session answers`; see `Machine::step` for the inputs.
//! Intervals: ping 300 ms, pong 200 ms, upgrade 100 ms. The outbox is full at 64 bytes, and two pongs between pings are
//! too few to matter.

use std::{io, time::Instant};

use super::*;
use crate::{packet::Message, stats::Stats};

struct Machine {
    session: Session,
    now: Instant,
    /// What was queued last when a script said `mark`.
    marked: u64,
}

impl Machine {
    fn open(encoding: Encoding, transport: Transport) -> Self {
        let now = Instant::now();
        let config = Config {
            ping_interval: Duration::from_millis(300),
            ping_timeout: Duration::from_millis(200),
            upgrade_timeout: Duration::from_millis(100),
            max_outbox_bytes: 64,
            max_unsolicited_pongs: 2,
            ..Config::default()
        };
        Self { session: Session::new(Arc::new(config), encoding, transport, "{}", now), now, marked: 0 }
    }

    /// Carries out one input and puts what came of it into words.
    fn step(&mut self, input: &str) -> String {
        let (verb, rest) = input.split_once(' ').unwrap_or((input, ""));
        match verb {
            "get" => match self.session.handle_get() {
                Ok(()) => self.poll(),
                Err(error) => format!("refused {}", error.code()),
            },
            "poll" => self.poll(),
            "post" => match self.session.handle_post() {
                Ok(()) => {
                    for packet in rest.split('|').filter(|packet| !packet.is_empty()) {
                        self.posted(packet);
                    }
                    self.session.handle_posted();
                    "ok".into()
                }
                Err(error) => format!("refused {}", error.code()),
            },
            "posting" => match self.session.handle_post() {
                Ok(()) => "reading".into(),
                Err(error) => format!("refused {}", error.code()),
            },
            "posted" => {
                self.session.handle_posted();
                "ok".into()
            }
            "abort" => {
                let fault = if rest == "get" { TransportFault::PollAborted } else { TransportFault::PostAborted };
                self.session.handle_lost(Transport::Polling, Some(fault));
                self.state()
            }
            "ws" => self.websocket(rest),
            "write" => self.write(),
            "send" => match self.session.send(rest.split('|').map(|text| Frame::text(&[text]))) {
                Ok(()) => "ok".into(),
                Err(SendError::Closed(reason)) => format!("closed {reason}"),
            },
            "volatile" => match self.session.send_volatile([Frame::text(&[rest])]) {
                Ok(true) => "queued".into(),
                Ok(false) => "dropped".into(),
                Err(SendError::Closed(reason)) => format!("closed {reason}"),
            },
            "seal" => {
                self.session.seal();
                "ok".into()
            }
            "unseal" => {
                self.session.outbox.unseal();
                "ok".into()
            }
            "written" | "stuck" => {
                self.session.handle_written(input == "written");
                "ok".into()
            }
            "mark" => {
                self.marked = self.session.progress().queued;
                "ok".into()
            }
            "progress" => {
                let Progress { queued, asked, confirmed } = self.session.progress();
                format!("{queued} {asked} {confirmed}")
            }
            "stats" => {
                let stats = self.session.stats(self.now);
                let Stats { packets_received, bytes_received, packets_sent, bytes_sent, .. } = stats;
                let millis = |time: Option<Duration>| time.map_or("-".into(), |time| time.as_millis().to_string());
                let waits = format!("{} {}", stats.outbox_packets, stats.outbox_bytes);
                let (round_trip, unanswered) = (millis(stats.round_trip), millis(stats.unanswered));
                format!(
                    "{packets_received} {bytes_received} {packets_sent} {bytes_sent} {waits} {round_trip} {unanswered}"
                )
            }
            "flushed" => if self.session.is_flushed(self.marked) { "yes" } else { "no" }.into(),
            "limit" => {
                self.session.limit(rest.parse().ok());
                "ok".into()
            }
            "close" => {
                self.session.close(self.now, CloseReason::ForcedClose);
                self.state()
            }
            "shutdown" => {
                self.session.close(self.now, CloseReason::Shutdown);
                self.state()
            }
            "expire" => {
                self.session.expire(rest.parse().ok().map(|after| self.now + Duration::from_millis(after)));
                "ok".into()
            }
            "wait" => self.wait(rest.parse().expect("milliseconds")),
            "inbox" => words(self.session.poll_inbox().into_iter().filter_map(|event| match event {
                Event::Message(message) => Some(text(message)),
                _ => None,
            })),
            "events" => {
                let inbox = self.session.poll_inbox().into_iter();
                words(inbox.chain(self.session.poll_flush().into_iter().flatten()).map(|event| match event {
                    Event::Flush { packets, bytes } => format!("Flush({packets}, {bytes})"),
                    other => format!("{other:?}"),
                }))
            }
            "state" => self.state(),
            other => panic!("no such input: {other}"),
        }
    }

    fn poll(&mut self) -> String {
        let ready = self.session.get_is_ready();
        let answer = self.session.poll_get();
        assert_eq!(ready, answer.is_some(), "get_is_ready agrees with poll_get");
        answer
            .map_or("parked".into(), |frames| text(crate::payload::encode(&frames, Encoding::V4)).replace('\x1e', "|"))
    }

    fn posted(&mut self, packet: &str) {
        match Packet::decode(Message::Text(packet.into()), Revision::V4) {
            Ok(packet) => {
                if let Some(event) = self.session.handle_packet(self.now, Transport::Polling, packet) {
                    self.session.handle_polled(event);
                }
            }
            Err(error) => self.session.handle_error(Transport::Polling, error),
        }
    }

    fn websocket(&mut self, what: &str) -> String {
        match what {
            "opens" => return if self.session.handle_probe(self.now) { "probing" } else { "unwanted" }.into(),
            "lost" => self.session.handle_lost(Transport::WebSocket, None),
            "broke" => {
                let fault = TransportFault::Io(io::ErrorKind::ConnectionReset);
                self.session.handle_lost(Transport::WebSocket, Some(fault));
            }
            packet => match Packet::decode(Message::Text(packet.into()), Revision::V4) {
                Ok(packet) => match self.session.handle_packet(self.now, Transport::WebSocket, packet) {
                    Some(Event::Message(message)) => return format!("message {}", text(message)),
                    Some(event) => self.session.handle_polled(event),
                    None => {}
                },
                Err(error) => self.session.handle_error(Transport::WebSocket, error),
            },
        }
        self.state()
    }

    fn write(&mut self) -> String {
        let mut queue = VecDeque::new();
        match self.session.poll_websocket(&mut queue) {
            Transmit::Idle => "idle".into(),
            Transmit::Frames => words(queue.iter().map(|frame| String::from_utf8_lossy(frame.data()).into_owned())),
            Transmit::Close(None) => "ws close".into(),
            Transmit::Close(Some(code)) => format!("ws close {code}"),
        }
    }

    /// Lets time pass, from one deadline to the next as a driver does.
    fn wait(&mut self, millis: u64) -> String {
        let until = self.now + Duration::from_millis(millis);
        while let Some(at) = self.session.poll_timeout().filter(|at| *at <= until) {
            self.now = at;
            self.session.handle_timeout(at);
            assert!(self.session.poll_timeout().is_none_or(|next| next > at), "a deadline that was met moves on");
        }
        self.now = until;
        self.state()
    }

    fn state(&self) -> String {
        match &self.session.state {
            State::Polling(_) => "polling".into(),
            State::Probing { .. } => "probing".into(),
            State::WebSocket => "websocket".into(),
            State::Closing { carrier, .. } => format!("closing {}", carrier.name()),
            State::Closed { reason: CloseReason::TransportError(fault), .. } => format!("closed {fault:?}"),
            State::Closed { reason, .. } => format!("closed {reason}"),
        }
    }
}

fn text(message: Message) -> String {
    match message {
        Message::Text(text) => text.to_string(),
        Message::Binary(data) => format!("{data:?}"),
    }
}

fn words(all: impl Iterator<Item = String>) -> String {
    let words: Vec<_> = all.collect();
    if words.is_empty() { "nothing".into() } else { words.join("|") }
}

fn check(title: &str, encoding: Encoding, transport: Transport, script: &str) {
    let mut machine = Machine::open(encoding, transport);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (input, expected) = line.split_once(" -> ").expect("input -> answer");
        assert_eq!(machine.step(input), expected, "{title}: {input}");
    }
}

/// Rows that start with the open packet already fetched by a first GET.
fn polling(title: &str, script: &str) {
    check(title, Encoding::V4, Transport::Polling, &format!("get -> 0{{}}\n{script}"));
}

/// Rows in which a WebSocket has opened on the polling session.
fn probing(title: &str, script: &str) {
    polling(title, &format!("ws opens -> probing\n{script}"));
}

/// Rows that start with the open packet already written.
fn websocket(title: &str, script: &str) {
    check(title, Encoding::V4, Transport::WebSocket, &format!("write -> 0{{}}\nwritten -> ok\n{script}"));
}

#[test]
fn get() {
    polling("frames waiting: answered", "send a -> ok\nsend b -> ok\nget -> 4a|4b");
    polling("none: parked until there is one", "get -> parked\nsend a -> ok\npoll -> 4a\nget -> parked");
    polling(
        "second GET: refused, first answered with close",
        "get -> parked\nget -> refused 3\nstate -> closed PollOverlap\npoll -> 1\nget -> refused 1",
    );
    probing("frames waiting: answered", "send a -> ok\nget -> 4a\nws 2probe -> probing\nsend b -> ok\nget -> 4b");
    probing(
        "none: parked, and once probed a noop",
        "get -> parked\nws 2probe -> probing\npoll -> 6\nget -> 6\nget -> 6",
    );
    probing("second GET", "get -> parked\nget -> refused 3\nstate -> closed PollOverlap\npoll -> 1\nwrite -> ws close");
    websocket("refused, the session lives", "get -> refused 3\nstate -> websocket");
}

#[test]
fn sealed() {
    polling(
        "nothing leaves until it is unsealed as often, and then in order",
        "seal -> ok\nget -> parked\nsend a -> ok\npoll -> parked\nseal -> ok\nunseal -> ok\nsend b -> ok\n\
         poll -> parked\nunseal -> ok\npoll -> 4a|4b",
    );
    probing(
        "a GET is freed by a noop alone",
        "seal -> ok\nsend a -> ok\nget -> parked\nws 2probe -> probing\npoll -> 6\nunseal -> ok\nget -> 4a",
    );
    websocket("nothing is written", "seal -> ok\nsend a -> ok\nwrite -> idle\nunseal -> ok\nwrite -> 4a");
    websocket(
        "it does not outlast a close",
        "seal -> ok\nsend a -> ok\nclose -> closing websocket\nwrite -> 4a\nunseal -> ok\nwritten -> ok\n\
         write -> ws close",
    );
    websocket(
        "one taken while it closes holds nothing",
        "send a -> ok\nclose -> closing websocket\nseal -> ok\nwrite -> 4a\nunseal -> ok\nwritten -> ok\n\
         write -> ws close",
    );
    polling("the same by a GET", "send a -> ok\nclose -> closing polling\nseal -> ok\nget -> 4a|1");
}

#[test]
fn post() {
    polling("messages to the inbox", "post 4a|4b -> ok\ninbox -> a|b\ninbox -> nothing\npost 4c -> ok\ninbox -> c");
    polling("second POST", "posting -> reading\nposting -> refused 3\nstate -> closed PostOverlap");
    polling("one after the other", "posting -> reading\nposted -> ok\nposting -> reading");
    polling("after the end", "post 1 -> ok\nposting -> refused 1");
    probing("messages to the inbox", "post 4a -> ok\ninbox -> a\nws 2probe -> probing\npost 4b -> ok\ninbox -> b");
    probing("second POST", "posting -> reading\nposting -> refused 3\nstate -> closed PostOverlap\nwrite -> ws close");
    websocket("refused, the session lives", "posting -> refused 3\nstate -> websocket");
    probing(
        "begun before the upgrade, read after it",
        "posting -> reading\nws 2probe -> probing\nws 5 -> websocket\nposted -> ok\nabort post -> websocket",
    );
}

#[test]
fn polling_packets() {
    polling(
        "close ends in peace: a waiting GET gets noop",
        "get -> parked\npost 1 -> ok\nstate -> closed transport close\npoll -> 6",
    );
    polling("what follows a close is dropped", "post 4a|1|4b -> ok\ninbox -> a\nstate -> closed transport close");
    polling("a ping from the client", "get -> parked\npost 2 -> ok\nstate -> closed HeartbeatDirection\npoll -> 1");
    polling("open, pong, upgrade and noop are ignored", "post 0|3|5|6 -> ok\nstate -> polling\ninbox -> nothing");
    polling("no packet", "post 4a|x|4b -> ok\ninbox -> a\nstate -> closed parse error");
}

#[test]
fn lost_connections() {
    polling("of a parked GET", "get -> parked\nabort get -> closed PollAborted");
    polling("of a POST", "posting -> reading\nabort post -> closed PostAborted");
    probing("of a parked GET", "get -> parked\nabort get -> closed PollAborted\nwrite -> ws close");
    websocket("of an old GET", "abort get -> websocket");
    websocket("closed by the client", "ws lost -> closed transport close");
    websocket("broken", "ws broke -> closed Io(ConnectionReset)");
    polling("of a newcomer that was refused", "ws lost -> polling\nws 4a -> polling\nws x -> polling");
}

#[test]
fn newcomers() {
    polling("the first may probe", "ws opens -> probing");
    probing("a second is unwanted, the first goes on", "ws opens -> unwanted\nws 2probe -> probing\nwrite -> 3probe");
    websocket("unwanted, the session lives", "ws opens -> unwanted\nstate -> websocket");
    polling("while closing", "close -> closing polling\nws opens -> unwanted");
    probing(
        "another after the first was lost",
        "ws lost -> polling\nws opens -> probing\nws 2probe -> probing\nwrite -> 3probe",
    );
}

#[test]
fn upgrade() {
    probing(
        "probe, a parked GET freed, upgrade, waiting frames leave by the websocket",
        "get -> parked
         ws 2probe -> probing
         write -> 3probe
         poll -> 6
         send a -> ok
         ws 5 -> websocket
         send b -> ok
         write -> 4a|4b
         ws 4c -> message c
         get -> refused 3",
    );
    probing(
        "a client that awaits nothing",
        "send a -> ok\nws 2probe -> probing\nws 5 -> websocket\nwrite -> 3probe|4a",
    );
    probing(
        "a GET still parked at the upgrade gets noop",
        "get -> parked\nws 2probe -> probing\nws 5 -> websocket\npoll -> 6",
    );
    probing("upgrade without a probe", "ws 5 -> polling\nwrite -> ws close");
    for packet in ["2", "2probe!", "3probe", "40", "x", "1", "6"] {
        probing("not a probe", &format!("ws {packet} -> polling\nwrite -> ws close\nsend a -> ok\nget -> 4a"));
        probing(
            "after the probe",
            &format!("ws 2probe -> probing\nwrite -> 3probe\nws {packet} -> polling\nwrite -> ws close"),
        );
    }
    probing(
        "three probes are answered, a fourth is too many",
        "ws 2probe -> probing
         ws 2probe -> probing
         write -> 3probe
         write -> 3probe
         write -> idle
         ws 2probe -> probing
         ws 2probe -> polling
         write -> ws close",
    );
    probing("lost", "ws 2probe -> probing\nws lost -> polling\nsend a -> ok\nget -> 4a\nget -> parked");
    probing("broken", "ws broke -> polling");
    probing(
        "too slow before the probe",
        "wait 99 -> probing\nwait 1 -> polling\nwrite -> ws close\nsend a -> ok\nget -> 4a",
    );
    probing("too slow after the probe", "ws 2probe -> probing\nwait 100 -> polling\nwrite -> ws close");
    websocket("upgrade packets later are ignored", "ws 5 -> websocket\nws 6 -> websocket\nws 0 -> websocket");
    let mut machine = Machine::open(Encoding::V4, Transport::Polling);
    Arc::get_mut(&mut machine.session.config).expect("not shared").allow_upgrades = false;
    assert_eq!(machine.step("ws opens"), "unwanted");
}

#[test]
fn websocket_packets() {
    websocket("a message", "ws 4a -> message a\nws 4é -> message é");
    websocket("close", "ws 1 -> closed transport close\nwrite -> ws close");
    websocket("a ping from the client", "ws 2 -> closed HeartbeatDirection\nwrite -> ws close");
    websocket("a late probe", "ws 2probe -> closed HeartbeatDirection");
    websocket("no packet", "ws x -> closed parse error\nwrite -> ws close");
    websocket("nothing comes after the end", "ws 1 -> closed transport close\nws 4a -> closed transport close");
}

#[test]
fn heartbeat() {
    for open in [polling as fn(&str, &str), probing] {
        open("first ping after one interval", "wait 299 -> polling\nget -> parked\nwait 1 -> polling\npoll -> 2");
        open("no pong", "wait 499 -> polling\nwait 1 -> closed ping timeout");
        open(
            "no pong, a GET waits",
            "wait 300 -> polling\nget -> 2\nget -> parked\nwait 200 -> closed ping timeout\npoll -> 1",
        );
        open(
            "pong re-arms the interval",
            "wait 300 -> polling\nget -> 2\nwait 100 -> polling\npost 3 -> ok\nwait 499 -> polling\nwait 1 -> closed ping timeout",
        );
    }
    probing("pong during the probe", "wait 50 -> probing\npost 3 -> ok\nstate -> probing");
    websocket("first ping after one interval", "wait 299 -> websocket\nwrite -> idle\nwait 1 -> websocket\nwrite -> 2");
    websocket("no pong", "wait 499 -> websocket\nwait 1 -> closed ping timeout\nwrite -> ws close");
    websocket(
        "pong re-arms the interval",
        "wait 300 -> websocket\nwrite -> 2\nwait 150 -> websocket\nws 3 -> websocket\nwait 499 -> websocket\nwait 1 -> closed ping timeout",
    );
    websocket(
        "a pong nobody asked for changes nothing",
        "wait 299 -> websocket\nws 3 -> websocket\nwait 1 -> websocket\nwrite -> 2",
    );
    polling(
        "a pong before its ping left answers nothing: no more than one ping waits",
        "wait 300 -> polling\npost 3 -> ok\nwait 199 -> polling\nwait 1 -> closed ping timeout",
    );
    polling(
        "the same ping, once it has left",
        "wait 300 -> polling\npost 3 -> ok\nget -> 2\npost 3 -> ok\nwait 299 -> polling\nget -> parked\nwait 1 -> polling\npoll -> 2",
    );
    polling(
        "a pong to a ping that left by polling, right behind an upgrade whose answers wait",
        "wait 300 -> polling
         get -> 2
         events -> Flush(2, 8)|Drain
         ws opens -> probing
         ws 2probe -> probing
         ws 5 -> websocket
         ws 3 -> websocket
         events -> Upgrading(WebSocket)|Upgrade(WebSocket)|Heartbeat
         write -> 3probe",
    );
    websocket(
        "more pongs than may be between two pings",
        "ws 3 -> websocket\nws 3 -> websocket\nws 3 -> closed PongFlood\nwrite -> ws close 1008",
    );
    polling("more pongs than may be in one POST", "post 3|3|3|4a -> ok\ninbox -> nothing\nstate -> closed PongFlood");
    websocket(
        "a ping begins to count anew, its own pong is not counted",
        "ws 3 -> websocket
         ws 3 -> websocket
         wait 300 -> websocket
         write -> 2
         ws 3 -> websocket
         ws 3 -> websocket
         ws 3 -> websocket
         ws 3 -> closed PongFlood",
    );
    websocket(
        "the first other packet extends the time for a pong, later ones do not",
        "wait 400 -> websocket
         ws 4a -> message a
         wait 150 -> websocket
         ws 4b -> message b
         wait 49 -> websocket
         wait 1 -> closed ping timeout",
    );
    probing(
        "goes on across an upgrade",
        "ws 2probe -> probing\nws 5 -> websocket\nwait 300 -> websocket\nwrite -> 3probe|2",
    );
}

#[test]
fn heartbeat_of_revision_3() {
    let rows = [
        (Transport::Polling, "get -> 0{}\npost 2 -> ok\nget -> 3"),
        (Transport::Polling, "get -> 0{}\nwait 499 -> polling\nwait 1 -> closed ping timeout"),
        (
            Transport::Polling,
            "get -> 0{}\nwait 400 -> polling\npost 2 -> ok\nwait 499 -> polling\nwait 1 -> closed ping timeout",
        ),
        (Transport::Polling, "get -> 0{}\npost 3 -> ok\nstate -> closed HeartbeatDirection"),
        (
            Transport::Polling,
            "get -> 0{}\nws opens -> probing\nws 2probe -> probing\nwrite -> 3probe\nws 5 -> websocket\nws 2 -> websocket\nwrite -> 3",
        ),
        (Transport::WebSocket, "write -> 0{}\nwait 300 -> websocket\nwrite -> idle\nws 2 -> websocket\nwrite -> 3"),
        (
            Transport::WebSocket,
            "write -> 0{}\nwait 400 -> websocket\nws 4a -> message a\nwait 100 -> closed ping timeout",
        ),
        (Transport::WebSocket, "write -> 0{}\nws 3 -> closed HeartbeatDirection"),
        (
            Transport::Polling,
            "get -> 0{}\npost 2|2|2|2|2|2|2|2|2|2|2|2|2|2|2|2|2|2|2|2|2|2 -> ok\nstate -> polling
             post 2 -> ok\nstate -> closed slow consumer",
        ),
    ];
    for (transport, script) in rows {
        check("revision 3", Encoding::V3, transport, script);
    }
}

#[test]
fn send() {
    polling("all or none, in order", "send a|b -> ok\nsend c -> ok\nget -> 4a|4b|4c");
    websocket("all or none, in order", "send a|b -> ok\nsend c -> ok\nwrite -> 4a|4b|4c\nwrite -> idle");
    let long = "x".repeat(100);
    websocket(
        "a slow consumer is cut off, not buffered",
        &format!(
            "send {long} -> ok\nsend a -> closed slow consumer\nsend b -> closed slow consumer\nwrite -> ws close 1008"
        ),
    );
    polling(
        "one that never polls, too",
        &format!("send {long} -> ok\nsend a -> closed slow consumer\nget -> refused 1"),
    );
    polling("after the end", "post 1 -> ok\nsend a -> closed transport close");
}

#[test]
fn volatile() {
    polling(
        "only to a parked GET, and one at a time",
        "volatile a -> dropped\nget -> parked\nvolatile b -> queued\nvolatile c -> dropped\npoll -> 4b",
    );
    websocket(
        "only when nothing waits",
        "volatile a -> queued\nvolatile b -> dropped\nsend c -> ok\nwrite -> 4a|4c\nwritten -> ok\nvolatile d -> queued",
    );
    websocket(
        "not to one that does not read what it is written",
        "send a -> ok\nwrite -> 4a\nstuck -> ok\nvolatile b -> dropped\nwritten -> ok\nvolatile c -> queued",
    );
    websocket(
        "behind what is about to be written",
        "send a -> ok\nwrite -> 4a\nvolatile b -> queued\nvolatile c -> dropped\nwritten -> ok",
    );
    websocket("after the end", "ws 1 -> closed transport close\nvolatile a -> closed transport close");
}

#[test]
fn events() {
    websocket(
        "a pong that was due, and none else",
        "events -> Flush(1, 5)|Drain
         ws 3 -> websocket
         events -> nothing
         wait 300 -> websocket
         write -> 2
         events -> nothing
         written -> ok
         events -> Flush(1, 3)|Drain
         ws 3 -> websocket
         events -> Heartbeat",
    );
    polling(
        "by polling",
        "wait 300 -> polling\nget -> 2\npost 3|4a -> ok\nevents -> Heartbeat|Message(Text(\"a\"))|Flush(2, 8)|Drain",
    );
    probing(
        "an upgrade",
        "events -> Flush(1, 5)|Drain
         ws 2probe -> probing
         ws 2probe -> probing
         events -> Upgrading(WebSocket)
         ws 5 -> websocket
         ws 5 -> websocket
         events -> Upgrade(WebSocket)",
    );
    probing(
        "one that fails",
        "ws 5 -> polling\nws opens -> probing\nws 2probe -> probing\nws x -> polling\nevents -> Upgrading(WebSocket)|Flush(1, 5)|Drain",
    );
    websocket(
        "what waits behind a batch",
        "events -> Flush(1, 5)|Drain\nsend a|b -> ok\nwrite -> 4a|4b\nsend c -> ok\nwritten -> ok\nevents -> Flush(2, 8)\nwrite -> 4c\nwritten -> ok\nevents -> Flush(1, 4)|Drain",
    );
    websocket(
        "no drain when something is lost",
        "events -> Flush(1, 5)|Drain\nsend a -> ok\nwrite -> 4a\nsend b -> ok\nwritten -> ok\nws lost -> closed transport close\nevents -> Flush(1, 4)",
    );
    polling(
        "an answer that is only a noop",
        "events -> Flush(1, 5)|Drain\nws opens -> probing\nws 2probe -> probing\nget -> 6\nevents -> Upgrading(WebSocket)",
    );
}

#[test]
fn flushed() {
    polling(
        "when a GET took it; what is sent later does not count",
        "send a|b -> ok\nmark -> ok\nsend c -> ok\nflushed -> no\nget -> 4a|4b|4c\nflushed -> yes\nsend d -> ok\nflushed -> yes",
    );
    websocket(
        "when it was written, not when it was taken",
        "send a -> ok\nmark -> ok\nwrite -> 4a\nflushed -> no\nsend b -> ok\nwritten -> ok\nflushed -> yes",
    );
    probing(
        "what left before answers to probes were put before the rest",
        "send a -> ok\nmark -> ok\nget -> 4a\nws 2probe -> probing\nws 5 -> websocket\nflushed -> yes\nws lost -> closed transport close\nflushed -> yes",
    );
    probing(
        "with answers to probes before it, which are not counted",
        "send a -> ok\nmark -> ok\nws 2probe -> probing\nws 5 -> websocket\nflushed -> no
         write -> 3probe|4a\nflushed -> no\nwritten -> ok\nflushed -> yes",
    );
    polling("by an orderly close", "send a -> ok\nmark -> ok\nclose -> closing polling\nget -> 4a|1\nflushed -> yes");
    websocket(
        "by an orderly close",
        "send a -> ok\nmark -> ok\nclose -> closing websocket\nwrite -> 4a\nwritten -> ok\nwrite -> ws close\nflushed -> yes",
    );
    websocket(
        "before the end",
        "send a -> ok\nmark -> ok\nwrite -> 4a\nwritten -> ok\nsend b -> ok\nws 1 -> closed transport close\nflushed -> yes",
    );
    websocket(
        "never: lost in the outbox",
        "send a -> ok\nmark -> ok\nws lost -> closed transport close\nflushed -> no",
    );
    websocket(
        "never: lost in writing",
        "send a -> ok\nmark -> ok\nwrite -> 4a\nws lost -> closed transport close\nwritten -> ok\nflushed -> no",
    );
    polling("never: dropped", "send a -> ok\nmark -> ok\nshutdown -> closed server shutting down\nflushed -> no");
}

#[test]
fn progress() {
    polling(
        "by GETs: the next one confirms the answer to the one before",
        "progress -> 1 1 0\nsend a -> ok\nprogress -> 2 1 0\nget -> 4a\nprogress -> 2 2 1\nsend b -> ok\nget -> 4b
         progress -> 3 3 2\nget -> parked\nprogress -> 3 3 3",
    );
    websocket(
        "by pings: an answer confirms what was before its ping, and a pong that is not due nothing",
        "send a -> ok\nwrite -> 4a\nws 3 -> websocket\nprogress -> 2 0 0\nwait 300 -> websocket\nsend b -> ok
         write -> 2|4b\nprogress -> 4 3 0\nws 3 -> websocket\nprogress -> 4 3 3\nws lost -> closed transport close
         progress -> 4 3 3",
    );
    websocket(
        "what was before a ping that is not answered is not confirmed",
        "send a -> ok\nwait 300 -> websocket\nwrite -> 4a|2\nws lost -> closed transport close\nprogress -> 3 3 0",
    );
    probing(
        "a pong after the upgrade confirms what the last GET brought",
        "send a -> ok\nget -> 4a\nws 2probe -> probing\nws 5 -> websocket\nprogress -> 2 2 1\nsend b -> ok
         write -> 3probe|4b\nprogress -> 3 2 1\nwait 300 -> websocket\nwrite -> 2\nws 3 -> websocket\nprogress -> 4 4 4",
    );
    probing(
        "a GET that is refused confirms nothing",
        "send a -> ok\nget -> 4a\nws 2probe -> probing\nws 5 -> websocket\nget -> refused 3\nprogress -> 2 2 1",
    );
}

#[test]
fn figures() {
    // Received, sent, waiting: each in packets and bytes. Frames have a header of two bytes, the open packet has `{}`.
    websocket(
        "what comes, goes and waits is counted",
        "stats -> 0 0 1 5 0 0 - -\nsend ab -> ok\nsend c -> ok\nstats -> 0 0 3 14 2 9 - -\nwrite -> 4ab|4c
         stats -> 0 0 3 14 0 0 - -\nws 4abc -> message abc\nstats -> 1 3 3 14 0 0 - -\nws lost -> closed transport close
         send d -> closed transport close\nstats -> 1 3 3 14 0 0 - -",
    );
    websocket(
        "a ping waits for its answer, which takes its time",
        "wait 300 -> websocket\nwrite -> 2\nstats -> 0 0 2 8 0 0 - 0\nwait 120 -> websocket\nstats -> 0 0 2 8 0 0 - 120
         ws 3 -> websocket\nstats -> 1 0 2 8 0 0 120 -\nwait 350 -> websocket\nstats -> 1 0 3 11 1 3 - 50",
    );
    polling(
        "by polling, another packet does not answer a ping",
        "wait 310 -> polling\nget -> 2\npost 4a -> ok\nwait 50 -> polling\nstats -> 1 1 2 8 0 0 - 60\npost 3 -> ok
         stats -> 2 1 2 8 0 0 60 -",
    );
}

#[test]
fn the_transport_outlives_the_session() {
    for (transport, end) in
        [(Transport::Polling, "shutdown"), (Transport::WebSocket, "shutdown"), (Transport::WebSocket, "ws lost")]
    {
        let mut machine = Machine::open(Encoding::V4, transport);
        machine.step(end);
        assert!(machine.session.closed().is_some());
        assert_eq!(machine.session.transport(), transport);
    }
}

#[test]
fn times_that_never_end() {
    let never = Config {
        ping_interval: Duration::MAX,
        ping_timeout: Duration::MAX,
        upgrade_timeout: Duration::MAX,
        ..Config::default()
    };
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    for encoding in [Encoding::V3, Encoding::V4] {
        let now = Instant::now();
        let mut session = Session::new(Arc::new(never.clone()), encoding, Transport::Polling, "{}", now);
        assert!(session.handle_probe(now));
        session.expire(Some(deadline(now, Duration::MAX)));
        session.handle_timeout(now + year);
        assert!(session.poll_timeout() > Some(now + year));
    }
    let slow = Config { ping_timeout: Duration::MAX, ..Config::default() };
    let now = Instant::now();
    let mut session = Session::new(Arc::new(slow), Encoding::V4, Transport::Polling, "{}", now);
    session.handle_timeout(now + Duration::from_secs(25));
    session.handle_timeout(now + year);
    assert_eq!(session.closed(), None);
}

#[test]
fn budget() {
    websocket(
        "messages are counted, other packets are not",
        "limit 3 -> ok\nws 4ab -> message ab\nws 6 -> websocket\nws 4c -> message c\nws 4d -> closed TooLarge\nwrite -> ws close 1009",
    );
    websocket("lifted", "limit 1 -> ok\nlimit -> ok\nws 4ab -> message ab");
    polling("over polling", "limit 1 -> ok\npost 4a|4b|4c -> ok\ninbox -> a\nstate -> closed TooLarge");
}

#[test]
fn close() {
    polling("a GET waits", "get -> parked\nclose -> closing polling\npoll -> 1\nstate -> closed forced close");
    polling(
        "no GET: the next one is told",
        "send a -> ok\nclose -> closing polling\nsend b -> closed forced close\nget -> 4a|1\nstate -> closed forced close",
    );
    polling("nobody comes", "close -> closing polling\nwait 29999 -> closing polling\nwait 1 -> closed forced close");
    polling(
        "what still comes is ignored",
        "close -> closing polling\npost 4a|2 -> ok\ninbox -> nothing\nstate -> closing polling",
    );
    polling("the client closes meanwhile", "close -> closing polling\npost 1 -> ok\nstate -> closed forced close");
    polling(
        "the connection goes meanwhile",
        "get -> parked\nclose -> closing polling\nabort get -> closed forced close",
    );
    probing("the newcomer is closed", "ws 2probe -> probing\nclose -> closing polling\nwrite -> ws close\nget -> 6|1");
    probing(
        "the newcomer's close does not matter",
        "send a -> ok\nclose -> closing polling\nws 1 -> closing polling\nget -> 4a|1",
    );
    probing("the newcomer's loss does not matter", "close -> closing polling\nws lost -> closing polling");
    websocket(
        "flush, then close without a code",
        "send a -> ok\nclose -> closing websocket\nwrite -> 4a\nwrite -> ws close\nstate -> closed forced close",
    );
    websocket("one that does not read", "send a -> ok\nclose -> closing websocket\nwait 30000 -> closed forced close");
    websocket("the client closes meanwhile", "close -> closing websocket\nws 1 -> closed forced close");
    websocket("lost meanwhile", "close -> closing websocket\nws broke -> closed forced close");
    websocket("GET and POST while closing", "close -> closing websocket\nget -> refused 3\nposting -> refused 3");
    websocket("closed twice", "close -> closing websocket\nclose -> closing websocket\nwrite -> ws close");
}

#[test]
fn shutdown() {
    polling("a GET waits", "get -> parked\nsend a -> ok\nshutdown -> closed server shutting down\npoll -> 1");
    polling("no GET", "shutdown -> closed server shutting down\nget -> refused 1");
    websocket("what waits is dropped", "send a -> ok\nshutdown -> closed server shutting down\nwrite -> ws close 1001");
    websocket("of a closing session", "close -> closing websocket\nshutdown -> closed server shutting down");
    websocket("of a closed session", "ws 1 -> closed transport close\nshutdown -> closed transport close");
}

#[test]
fn expiry() {
    websocket(
        "unless taken back",
        "expire 100 -> ok\nwait 99 -> websocket\nwait 1 -> closing websocket\nwrite -> ws close",
    );
    websocket("taken back", "expire 100 -> ok\nexpire -> ok\nwait 200 -> websocket");
    polling("the next GET is told", "expire 100 -> ok\nwait 100 -> closing polling\nget -> 6|1");
}
