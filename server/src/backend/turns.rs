//! What it is: the turns of hooks: whoever has one may ask the backend, in the order of the schedule.
//! What it is not: the schedule, which knows neither clock nor tasks.
//! Who calls it: `backend`, for each hook.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use prometheus::IntGauge;
use socketio::SocketId;
use tokio::{runtime::Handle, sync::oneshot};
use tracing::{info, warn};

use super::{
    breaker::{Change, Sign},
    queue::{Full, Item, Kind},
    schedule::{Next, Schedule, Terms},
};

/// The turns of one backend. Clones are the same.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Shared>);

struct Shared {
    /// The name of the backend, for the log.
    name: String,
    /// Taken for a few steps, and no other lock behind it.
    state: Mutex<State>,
    waiting: IntGauge,
    in_flight: IntGauge,
    /// Whether the backend has a pause.
    paused: IntGauge,
}

struct State {
    schedule: Schedule<Line, Waiter>,
    /// When a task looks again, if one does.
    alarm: Option<Instant>,
}

/// Whose hooks go one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Line {
    Socket(SocketId),
    /// A user of a namespace, by both names.
    User(Box<str>),
}

/// Who waits for a turn; nobody any more, if the other end is gone.
type Waiter = oneshot::Sender<Result<Turn, Open>>;

/// The backend is not asked now, as it has failed too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open;

/// A turn that comes.
pub(crate) struct Waiting(oneshot::Receiver<Result<Turn, Open>>);

/// One hook in flight. Dropped, it has come to nothing.
pub(crate) struct Turn(Option<Place>);

/// A hook that has landed. Others of its line wait until it is dropped.
pub(crate) struct Landed(Option<Place>);

/// A place in a line.
struct Place {
    turns: Turns,
    line: Line,
}

impl Turns {
    pub(crate) fn new(name: &str, terms: Terms, gauges: [IntGauge; 3]) -> Self {
        let state = Mutex::new(State { schedule: Schedule::new(terms), alarm: None });
        let [waiting, in_flight, paused] = gauges;
        Self(Arc::new(Shared { name: name.to_owned(), state, waiting, in_flight, paused }))
    }

    /// Takes a place at the end of a line, now and not when it is awaited.
    ///
    /// # Errors
    /// [`Full`].
    pub(crate) fn wait(&self, line: &Line, kind: Kind, bytes: usize) -> Result<Waiting, Full> {
        let (job, waiting) = oneshot::channel();
        self.state().schedule.push(line, Item { kind, bytes, job })?;
        self.go();
        Ok(Waiting(waiting))
    }

    /// From now on hooks go like this.
    pub(crate) fn adjust(&self, terms: Terms) {
        self.state().schedule.adjust(terms);
        self.go();
    }

    /// From now on disconnects do not wait for their pace, nor for the end of a pause.
    pub(crate) fn hurry(&self) {
        self.state().schedule.hurry(Instant::now());
        self.go();
    }

    /// Lets go who may.
    fn go(&self) {
        loop {
            let mut state = self.state();
            let next = state.schedule.next(Instant::now());
            match next {
                Next::Go(line, waiter) if waiter.is_closed() => {
                    let change = state.schedule.land(Sign::None, Instant::now());
                    state.schedule.close(&line);
                    drop(state);
                    self.tell(change);
                }
                // Without the lock: a turn that nobody takes any more is dropped, which takes it.
                Next::Go(line, waiter) => {
                    drop(state);
                    let _nobody = waiter.send(Ok(Turn(Some(Place { turns: self.clone(), line }))));
                }
                Next::Fail(waiter) => {
                    drop(state);
                    let _nobody = waiter.send(Err(Open));
                }
                Next::At(at) => {
                    self.set_alarm(&mut state, at);
                    return self.show(&state);
                }
                Next::Nothing => return self.show(&state),
            }
        }
    }

    fn set_alarm(&self, state: &mut State, at: Instant) {
        // At the end of the process there may be no runtime any more, and nothing left to be done.
        let (false, Ok(runtime)) = (state.alarm.is_some_and(|alarm| alarm <= at), Handle::try_current()) else {
            return;
        };
        state.alarm = Some(at);
        let turns = self.clone();
        runtime.spawn(async move {
            tokio::time::sleep_until(at.into()).await;
            turns.state().alarm.take_if(|alarm| *alarm == at);
            turns.go();
        });
    }

    fn show(&self, state: &State) {
        let (waiting, in_flight) = state.schedule.counts();
        self.0.waiting.set(waiting as i64);
        self.0.in_flight.set(in_flight as i64);
        self.0.paused.set(state.schedule.is_paused().into());
    }

    fn tell(&self, change: Option<Change>) {
        match change {
            Some(Change::Opened) => warn!(backend = self.0.name, "the backend has failed too often, and has a pause"),
            Some(Change::Closed) => info!(backend = self.0.name, "the backend answers again"),
            None => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("not poisoned: nobody panics while it is held")
    }
}

impl Place {
    fn land(&self, sign: Sign) {
        let change = self.turns.state().schedule.land(sign, Instant::now());
        self.turns.tell(change);
    }

    fn close(&self) {
        self.turns.state().schedule.close(&self.line);
        self.turns.go();
    }
}

impl Waiting {
    /// The turn, or that it does not come.
    pub(crate) async fn turn(self) -> Result<Turn, Open> {
        // Who waits is forgotten only at the end of the process.
        self.0.await.unwrap_or(Err(Open))
    }
}

impl Turn {
    /// The hook has ended, and has shown this of its backend.
    pub(crate) fn land(mut self, sign: Sign) -> Landed {
        let place = self.0.take();
        if let Some(place) = &place {
            place.land(sign);
            place.turns.go();
        }
        Landed(place)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(place) = self.0.take() {
            place.land(Sign::None);
            place.close();
        }
    }
}

impl Landed {
    /// Goes once more, before others of its line.
    pub(crate) fn again(mut self, kind: Kind, bytes: usize) -> Waiting {
        let (job, waiting) = oneshot::channel();
        if let Some(Place { turns, line }) = self.0.take() {
            turns.state().schedule.again(&line, Item { kind, bytes, job });
            turns.go();
        }
        Waiting(waiting)
    }
}

impl Drop for Landed {
    fn drop(&mut self) {
        if let Some(place) = self.0.take() {
            place.close();
        }
    }
}
