//! What it is: two clients of a Socket.IO server, and what each of them has to hear, foretold from what was done.
//! What it is not: a reading of what the server does: it knows the rules, and no state of the server's.
//! Who calls it: the `connection` target, for each event of a script.

use std::{collections::VecDeque, future::poll_fn, mem, pin::pin, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    application::{ANSWER_TIMEOUT, ATTACHMENT_TIMEOUT, Application, MAX_QUESTIONS, MAX_REFUSALS, MAX_UNKNOWN},
    application::{MAX_WAITING, NAMESPACES, ROOMS, SLOW, binary},
    member::{Join, Member, Request, Upload, placeholder, placeholders, prefix},
    poller::Question,
    seat::{Seat, Stage},
};

/// Milliseconds after which everything that was begun has been done.
const SETTLED: u64 = 8;

/// Both clients and their server.
pub(crate) struct Members {
    application: Application,
    now: u64,
    number: u64,
    clients: Vec<Member>,
    /// Sockets that were let in, and those that have left since.
    admitted: usize,
    left: usize,
}

impl Members {
    pub(crate) async fn open(application: Application) -> Self {
        let mut clients = Vec::new();
        for _ in 0..2 {
            clients.push(Member::open(&application, 0).await);
        }
        Self { application, now: 0, number: 0, clients, admitted: 0, left: 0 }
    }

    pub(crate) async fn connect(&mut self, client: usize, place: usize, join: Join) {
        let auth = match join {
            Join::AtOnce => "",
            Join::Later => "{\"slow\":true}",
            Join::Refused => "{\"refuse\":true}",
        };
        if !self.text(client, &format!("0{}{auth}", prefix(place))).await {
            return;
        }
        let now = self.now;
        let member = &mut self.clients[client];
        if !matches!(member.seats[place].stage, Stage::Out | Stage::Gone) {
            return self.cut(client);
        }
        member.seats[place] = Seat::default();
        match join {
            Join::AtOnce => self.admit(client, place),
            Join::Later => {
                member.seats[place].stage = Stage::Connecting { until: now + SLOW, waiting: VecDeque::new() };
                member.seats[place].rooms.insert(ROOMS[0]);
            }
            Join::Refused => {
                member.seats[place].stage = Stage::Gone;
                self.refuse(client, format!("44{}{{\"message\":\"no\"}}", prefix(place)));
            }
        }
    }

    pub(crate) async fn connect_to_nothing(&mut self, client: usize) {
        if self.text(client, "0/x,").await {
            self.refuse(client, "44/x,{\"message\":\"Invalid namespace\"}".to_owned());
        }
    }

    pub(crate) async fn disconnect(&mut self, client: usize, place: usize) {
        if self.text(client, &format!("1{}", prefix(place))).await {
            match self.clients[client].seats[place].stage {
                Stage::Out => self.cut(client),
                _ => self.vacate(client, place, Stage::Out),
            }
        }
    }

    /// A client emits an event.
    pub(crate) async fn event(&mut self, client: usize, place: usize, request: Request) {
        let number = self.next_number();
        let (name, args) = match &request {
            Request::Echo(_) => ("echo", number.to_string()),
            Request::Ack => ("ack", number.to_string()),
            Request::Ask => ("ask", number.to_string()),
            Request::Join(room) => ("join", format!("\"{room}\"")),
            Request::Leave(room) => ("leave", format!("\"{room}\"")),
            Request::Cast => ("cast", number.to_string()),
            Request::Both => ("both", number.to_string()),
            Request::Kick => ("kick", number.to_string()),
            Request::Drop => ("drop", number.to_string()),
        };
        let wants_ack = matches!(request, Request::Ack | Request::Join(_) | Request::Leave(_));
        let id = if wants_ack { number.to_string() } else { String::new() };
        if self.text(client, &format!("2{}{id}[\"{name}\",{args}]", prefix(place))).await {
            self.arrive(client, place, request, number);
        }
    }

    /// A client answers the oldest question that it has not answered.
    pub(crate) async fn answer(&mut self, client: usize, place: usize) {
        let Some(question) = self.clients[client].poller.next_question(NAMESPACES[place]) else { return };
        self.clients[client].answered = Some(question.clone());
        self.send_answer(client, place, question).await;
    }

    /// A client answers in the same words once more; elsewhere the id may be that of another question.
    pub(crate) async fn answer_again(&mut self, client: usize) {
        if let Some(question) = self.clients[client].answered.clone() {
            let place = NAMESPACES.iter().position(|name| *name == question.namespace).expect("one of three");
            self.send_answer(client, place, question).await;
        }
    }

    pub(crate) async fn answer_to_nothing(&mut self, client: usize, place: usize) {
        self.send_answer(client, place, Question::default()).await;
    }

    async fn send_answer(&mut self, client: usize, place: usize, Question { number, id, .. }: Question) {
        if !self.text(client, &format!("3{}{id}[{number}]", prefix(place))).await {
            return;
        }
        let seat = &mut self.clients[client].seats[place];
        match seat.stage {
            Stage::Out => self.cut(client),
            Stage::Gone => {}
            Stage::Connecting { .. } | Stage::In => {
                if seat.answer(number) {
                    self.say(client, format!("42{}[\"answer\",{number}]", prefix(place)));
                } else if seat.unknown > MAX_UNKNOWN {
                    self.cut(client);
                }
            }
        }
    }

    /// The text of an event to be echoed, with so many attachments.
    pub(crate) async fn begin_upload(&mut self, client: usize, place: usize, missing: usize) {
        let number = self.next_number();
        let packet = format!("5{missing}-{}[\"echo\",{}]", prefix(place), placeholders(missing));
        if !self.text(client, &packet).await {
            return;
        }
        let due = self.now + ATTACHMENT_TIMEOUT;
        let member = &mut self.clients[client];
        match member.seats[place].stage {
            Stage::Out => self.cut(client),
            _ => member.upload = Some(Upload { place, number, missing, attachments: Vec::new(), due }),
        }
    }

    /// A client sends a binary message.
    pub(crate) async fn attach(&mut self, client: usize) {
        let data = format!("b{}", BASE64_STANDARD.encode(self.next_number().to_string()));
        if self.clients[client].ended {
            return;
        }
        assert!(self.clients[client].poller.post(data.clone()).await, "an open session takes what comes");
        let Some(mut upload) = self.clients[client].upload.take() else { return self.cut(client) };
        upload.attachments.push(data);
        if upload.attachments.len() < upload.missing {
            self.clients[client].upload = Some(upload);
            return;
        }
        let seat = &mut self.clients[client].seats[upload.place];
        seat.uploads.insert(upload.number, upload.attachments);
        self.arrive(client, upload.place, Request::Echo(upload.missing), upload.number);
    }

    pub(crate) async fn break_protocol(&mut self, client: usize, text: &str) {
        if self.text(client, text).await {
            self.cut(client);
        }
    }

    pub(crate) fn emit_to_room(&mut self, place: usize) {
        let number = self.next_number();
        let sent = self.application.of(place).to(ROOMS[0]).emit("msg", &number);
        let meant = self.cast(place, &ROOMS[..1], None, &format!("[\"msg\",{number}]"));
        assert_eq!(sent.expect("a number can be sent"), meant);
    }

    pub(crate) fn emit(&mut self, place: usize) {
        let number = self.next_number();
        let sent = self.application.of(place).emit("msg", &number);
        let meant = self.cast(place, &[], None, &format!("[\"msg\",{number}]"));
        assert_eq!(sent.expect("a number can be sent"), meant);
    }

    pub(crate) fn emit_binary(&mut self, place: usize) {
        let number = self.next_number();
        let sent = self.application.of(place).to(ROOMS[0]).to(ROOMS[1]).emit("msg", &binary(number));
        let attachment = format!("b{}", BASE64_STANDARD.encode(number.to_string()));
        let meant = self.meant(place, &ROOMS, None);
        for client in &meant {
            let text = format!("452-{}[\"msg\",{},{number},{}]", prefix(place), placeholder(0), placeholder(1));
            [text, attachment.clone(), attachment.clone()].into_iter().for_each(|packet| self.say(*client, packet));
        }
        assert_eq!(sent.expect("binary can be sent"), meant.len());
    }

    pub(crate) fn disconnect_all(&mut self, place: usize) {
        self.application.of(place).disconnect_sockets(false);
        for client in self.meant(place, &[], None) {
            self.kick(client, place);
        }
    }

    pub(crate) fn all_join(&mut self, place: usize, room: &'static str) {
        let joined = self.application.of(place).sockets_join(room);
        let meant = self.meant(place, &[], None);
        assert_eq!(joined, meant.len());
        for client in meant {
            self.clients[client].seats[place].rooms.insert(room);
        }
    }

    pub(crate) fn all_leave(&mut self, place: usize, room: &'static str) {
        self.application.of(place).sockets_leave(room);
        for client in self.meant(place, &[], None) {
            self.clients[client].seats[place].rooms.remove(room);
        }
    }

    /// A client closes its connection.
    pub(crate) async fn close(&mut self, client: usize) {
        if !self.clients[client].ended {
            assert!(self.clients[client].poller.post("1".to_owned()).await, "an open session takes what comes");
            self.end_of(client, "6");
        }
    }

    /// A client whose connection has ended opens another.
    pub(crate) async fn reopen(&mut self, client: usize) {
        if self.clients[client].ended {
            self.clients[client] = Member::open(&self.application, self.now).await;
        }
    }

    /// Lets the server do what is to be done, and compares what the clients hear.
    pub(crate) async fn settle(&mut self) {
        self.wait(SETTLED).await;
    }

    /// Lets so many milliseconds pass.
    pub(crate) async fn wait(&mut self, milliseconds: u64) {
        self.pass(milliseconds).await;
        // A connection that has heard of its end has ended a moment later.
        self.pass(SETTLED).await;
        assert_eq!(self.application.left(), self.left, "who has left, and nobody else, was told so");
        let open = self.clients.iter().filter(|member| !member.ended).count();
        assert_eq!(self.application.io.clients_count(), open, "connections that are open");
        for (place, name) in NAMESPACES.iter().enumerate() {
            let everybody = self.application.of(place);
            assert_eq!(everybody.ids().len(), self.meant(place, &[], None).len(), "who is in {name}");
            for room in ROOMS {
                let meant = self.meant(place, &[room], None).len();
                assert_eq!(self.application.of(place).to(room).ids().len(), meant, "who is in {room}");
            }
        }
    }

    async fn pass(&mut self, milliseconds: u64) {
        let until = self.now + milliseconds;
        while let Some(at) = self.next_end().filter(|at| *at <= until) {
            self.now = at;
            self.come_to_end(at);
        }
        self.now = until;
        let mut sleep = pin!(tokio::time::sleep(Duration::from_millis(milliseconds)));
        poll_fn(|cx| {
            self.clients.iter_mut().for_each(|member| member.poller.poll(cx));
            sleep.as_mut().poll(cx)
        })
        .await;
        for (client, member) in self.clients.iter_mut().enumerate() {
            let heard = member.poller.collect().await;
            assert_eq!(heard, member.expected, "what client {} hears", client + 1);
            member.expected.clear();
        }
    }

    /// Both clients go; nothing of them is left.
    pub(crate) async fn end(mut self) {
        for client in 0..self.clients.len() {
            self.close(client).await;
        }
        // Also the handlers that wait.
        self.wait(SLOW + SETTLED).await;
        assert_eq!(self.admitted, self.left, "whoever came has left");
        assert_eq!(self.application.held(), 0, "no socket is kept");
    }

    /// Sends the text of a Socket.IO packet. False when nobody reads it any more: the connection has ended, or ends
    /// because attachments were due.
    async fn text(&mut self, client: usize, text: &str) -> bool {
        let member = &mut self.clients[client];
        if member.ended {
            return false;
        }
        assert!(member.poller.post(format!("4{text}")).await, "an open session takes what comes");
        let is_read = member.upload.is_none();
        if !is_read {
            self.cut(client);
        }
        is_read
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn say(&mut self, client: usize, packet: String) {
        let member = &mut self.clients[client];
        if !member.ended {
            member.expected.push(packet);
        }
    }

    /// An event arrives in a namespace.
    fn arrive(&mut self, client: usize, place: usize, request: Request, number: u64) {
        match &mut self.clients[client].seats[place].stage {
            Stage::Out => self.cut(client),
            Stage::Gone => {}
            Stage::Connecting { waiting, .. } if waiting.len() >= MAX_WAITING => self.cut(client),
            Stage::Connecting { waiting, .. } => waiting.push_back((request, number)),
            Stage::In => self.handle(client, place, request, number),
        }
    }

    fn handle(&mut self, client: usize, place: usize, request: Request, number: u64) {
        let (prefix, due) = (prefix(place), self.now + ANSWER_TIMEOUT);
        let seat = &mut self.clients[client].seats[place];
        match request {
            Request::Echo(0) => self.say(client, format!("42{prefix}[\"echo\",{number}]")),
            Request::Echo(attachments) => {
                let sent = seat.uploads.remove(&number).unwrap_or_default();
                let items = placeholders(attachments);
                self.say(client, format!("45{attachments}-{prefix}[\"echo\",{items}]"));
                sent.into_iter().for_each(|attachment| self.say(client, attachment));
            }
            Request::Ack => self.say(client, format!("43{prefix}{number}[{number}]")),
            Request::Ask if seat.pending() >= MAX_QUESTIONS => {
                self.say(client, format!("42{prefix}[\"full\",{number}]"));
            }
            Request::Ask => {
                seat.ask(number, due);
                self.say(client, format!("42{},?[\"question\",{number}]", NAMESPACES[place]));
            }
            Request::Join(room) => {
                seat.rooms.insert(room);
                self.say(client, format!("43{prefix}{number}[true]"));
            }
            Request::Leave(room) => {
                seat.rooms.remove(room);
                self.say(client, format!("43{prefix}{number}[true]"));
            }
            Request::Cast => drop(self.cast(place, &ROOMS[..1], None, &format!("[\"msg\",{number}]"))),
            Request::Both => drop(self.cast(place, &ROOMS, Some(client), &format!("[\"msg\",{number}]"))),
            Request::Kick => self.kick(client, place),
            Request::Drop => self.cut(client),
        }
    }

    /// Those who are in a namespace, or in one of some rooms of it.
    fn meant(&self, place: usize, rooms: &[&'static str], except: Option<usize>) -> Vec<usize> {
        let is_meant = |client: &usize| {
            let member = &self.clients[*client];
            let seat = &member.seats[place];
            let is_in = rooms.is_empty() || rooms.iter().any(|room| seat.rooms.contains(room));
            !member.ended && matches!(seat.stage, Stage::In) && is_in && Some(*client) != except
        };
        (0..self.clients.len()).filter(is_meant).collect()
    }

    /// An event is emitted to all of them. Returns how many they are.
    fn cast(&mut self, place: usize, rooms: &[&'static str], except: Option<usize>, items: &str) -> usize {
        let meant = self.meant(place, rooms, except);
        meant.iter().for_each(|client| self.say(*client, format!("42{}{items}", prefix(place))));
        meant.len()
    }

    fn admit(&mut self, client: usize, place: usize) {
        self.say(client, format!("40{}{{sid}}", prefix(place)));
        let member = &mut self.clients[client];
        member.join_by = None;
        let stage = mem::replace(&mut member.seats[place].stage, Stage::In);
        self.admitted += 1;
        let Stage::Connecting { waiting, .. } = stage else { return };
        for (request, number) in waiting {
            // Those behind one that closed the connection came before it did.
            if matches!(self.clients[client].seats[place].stage, Stage::Gone) {
                return;
            }
            self.handle(client, place, request, number);
        }
    }

    fn refuse(&mut self, client: usize, packet: String) {
        self.say(client, packet);
        self.clients[client].refusals += 1;
        if self.clients[client].refusals >= MAX_REFUSALS {
            self.cut(client);
        }
    }

    /// The server makes a socket leave.
    fn kick(&mut self, client: usize, place: usize) {
        self.say(client, format!("41{}", prefix(place)));
        self.vacate(client, place, Stage::Gone);
    }

    /// A client is no longer in a namespace.
    fn vacate(&mut self, client: usize, place: usize, stage: Stage) {
        let before = mem::replace(&mut self.clients[client].seats[place], Seat::at(stage));
        self.left += usize::from(matches!(before.stage, Stage::In));
    }

    /// The server closes a connection.
    fn cut(&mut self, client: usize) {
        self.end_of(client, "1");
    }

    /// A connection ends; this is the last thing its client hears.
    fn end_of(&mut self, client: usize, farewell: &str) {
        if self.clients[client].ended {
            return;
        }
        self.say(client, farewell.to_owned());
        for place in 0..NAMESPACES.len() {
            self.vacate(client, place, Stage::Out);
        }
        let member = &mut self.clients[client];
        (member.ended, member.upload, member.join_by) = (true, None, None);
    }

    /// When something ends next.
    fn next_end(&self) -> Option<u64> {
        self.clients.iter().filter_map(Member::next_end).min()
    }

    /// What ends now: a wait to be let in, a question, the time to join or to complete a packet.
    fn come_to_end(&mut self, now: u64) {
        for client in 0..self.clients.len() {
            for place in 0..NAMESPACES.len() {
                let seat = &mut self.clients[client].seats[place];
                if matches!(&seat.stage, Stage::Connecting { until, .. } if *until == now) {
                    self.admit(client, place);
                } else if let Some(number) = seat.give_up(now) {
                    self.say(client, format!("42{}[\"late\",{number}]", prefix(place)));
                }
            }
            let member = &self.clients[client];
            let upload_by = member.upload.as_ref().map(|upload| upload.due);
            if [member.join_by, upload_by].contains(&Some(now)) {
                self.cut(client);
            }
        }
    }
}
