//! Unit tests of guest functions by plain `cargo test`, with the host's side faked.
//!
//! What the functions of this crate reach natively is a [`Fake`] of the thread. Without one, nobody
//! hears callbacks, logs go nowhere, and no time passes while a guest sleeps.
//!
//! ```
//! use std::time::Duration;
//! use proc_guest::log::Level;
//! use proc_guest::test::{self, Fake};
//!
//! test::with(Fake::new().on_callback(|n: u32| n * 2), || {
//!     assert_eq!(proc_guest::callback::ask(21), Ok(42));
//!
//!     proc_guest::log::warn!("that was {}", "close");
//!     assert_eq!(test::logs()[0].level, Level::Warn);
//!
//!     test::block_on(proc_guest::time::sleep(Duration::from_secs(3600)));
//!     assert_eq!(test::elapsed(), Duration::from_secs(3600));
//! });
//! ```

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use ciborium::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{callback, context, log};

type Answer = dyn Fn(&[u8]) -> Result<Vec<u8>, callback::Error>;

/// The host as a test wants it.
#[derive(Default)]
pub struct Fake {
    answer: Option<Rc<Answer>>,
    call: context::Call,
    real_time: bool,
}

impl Fake {
    /// A host whose callbacks nobody hears, where no time passes while a guest sleeps.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers callbacks. The types are the caller's choice; [`ciborium::Value`] takes anything.
    #[must_use]
    pub fn on_callback<T, R>(self, answer: impl Fn(T) -> R + 'static) -> Self
    where
        T: DeserializeOwned,
        R: Serialize,
    {
        self.try_on_callback(move |value| Ok(answer(value)))
    }

    /// As [`on_callback`](Self::on_callback), where the answer can be an error.
    #[must_use]
    pub fn try_on_callback<T, R>(
        mut self,
        answer: impl Fn(T) -> Result<R, callback::Error> + 'static,
    ) -> Self
    where
        T: DeserializeOwned,
        R: Serialize,
    {
        self.answer = Some(Rc::new(move |payload: &[u8]| {
            let value = ciborium::from_reader(payload)
                .map_err(|error| callback::Error::Failed(error.to_string()))?;
            let mut out = Vec::new();
            ciborium::into_writer(&answer(value)?, &mut out)
                .map_err(|error| callback::Error::Failed(error.to_string()))?;
            Ok(out)
        }));
        self
    }

    /// What [`context::current`] says.
    #[must_use]
    pub fn call(mut self, call: context::Call) -> Self {
        self.call = call;
        self
    }

    /// Lets sleeps take their time, instead of moving a virtual clock.
    #[must_use]
    pub fn real_time(mut self) -> Self {
        self.real_time = true;
        self
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fake")
            .field("answers", &self.answer.is_some())
            .field("call", &self.call)
            .field("real_time", &self.real_time)
            .finish()
    }
}

/// One entry that a guest logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// How much it matters.
    pub level: log::Level,
    /// The line.
    pub message: String,
}

/// Runs `test` with the host faked by `fake`, on this thread.
pub fn with<R>(fake: Fake, test: impl FnOnce() -> R) -> R {
    struct Restore(Option<Stage>);
    impl Drop for Restore {
        fn drop(&mut self) {
            if let Some(before) = self.0.take() {
                STAGE.set(before);
            }
        }
    }
    let _restore = Restore(Some(STAGE.replace(Stage {
        fake,
        ..Stage::default()
    })));
    test()
}

/// What was logged since the test began.
#[must_use]
pub fn logs() -> Vec<Entry> {
    STAGE.with_borrow(|stage| stage.logs.clone())
}

/// What was sent to the caller since the test began.
#[must_use]
pub fn asked() -> Vec<Value> {
    STAGE.with_borrow(|stage| stage.asked.clone())
}

/// How far the clock has moved by sleeping since the test began.
#[must_use]
pub fn elapsed() -> Duration {
    STAGE.with_borrow(|stage| stage.elapsed)
}

/// Runs a future to its end, on this thread; its sleeps move the clock.
///
/// # Panics
///
/// If the future waits for something that can never happen.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let alarm = Arc::new(Alarm {
        thread: std::thread::current(),
        woken: AtomicBool::new(true),
    });
    let waker = Waker::from(Arc::clone(&alarm));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        while alarm.woken.swap(false, Ordering::AcqRel) {
            if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                return value;
            }
        }
        if !pass() {
            // Another thread may hold the waker; if nobody does, nobody ever calls it. One is ours,
            // one is the waker above.
            assert!(
                Arc::strong_count(&alarm) > 2,
                "this future waits for something that cannot happen"
            );
            while !alarm.woken.load(Ordering::Acquire) {
                std::thread::park();
            }
        }
    }
}

/// Wakes [`block_on`].
struct Alarm {
    thread: std::thread::Thread,
    woken: AtomicBool,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// What a thread's guest functions reach instead of a host.
#[derive(Default)]
struct Stage {
    fake: Fake,
    logs: Vec<Entry>,
    asked: Vec<Value>,
    elapsed: Duration,
    sleepers: Vec<Sleeper>,
}

/// Somebody asleep.
struct Sleeper {
    id: u64,
    until: Duration,
    waker: Waker,
}

thread_local! {
    static STAGE: RefCell<Stage> = RefCell::default();
    static NEXT_SLEEPER: Cell<u64> = const { Cell::new(0) };
}

/// Lets time pass until the next sleeper wakes; false if nobody sleeps.
fn pass() -> bool {
    let woken = STAGE.with_borrow_mut(|stage| {
        let until = stage.sleepers.iter().map(|sleeper| sleeper.until).min()?;
        let nap = until.saturating_sub(stage.elapsed);
        if stage.fake.real_time {
            let start = Instant::now();
            while start.elapsed() < nap {
                std::thread::sleep(nap - start.elapsed());
            }
        }
        stage.elapsed = stage.elapsed.max(until);
        let now = stage.elapsed;
        Some(
            stage
                .sleepers
                .extract_if(.., |sleeper| sleeper.until <= now)
                .collect::<Vec<_>>(),
        )
    });
    match woken {
        Some(woken) => {
            for sleeper in woken {
                sleeper.waker.wake();
            }
            true
        }
        None => false,
    }
}

pub(crate) fn ask(payload: &[u8]) -> Result<Vec<u8>, callback::Error> {
    let value = ciborium::from_reader(payload)
        .map_err(|error| callback::Error::Malformed(error.to_string()))?;
    let answer = STAGE.with_borrow_mut(|stage| {
        stage.asked.push(value);
        stage.fake.answer.clone()
    });
    // Outside of the borrow, so that an answer may look at the stage.
    answer.ok_or(callback::Error::Unheard)?(payload)
}

#[expect(clippy::unused_async, reason = "the shape of the host's function")]
pub(crate) async fn ask_async(payload: Vec<u8>) -> Result<Vec<u8>, callback::Error> {
    ask(&payload)
}

pub(crate) fn log(level: log::Level, message: &str) {
    let entry = Entry {
        level,
        message: message.to_owned(),
    };
    STAGE.with_borrow_mut(|stage| stage.logs.push(entry));
}

pub(crate) fn current() -> context::Call {
    STAGE.with_borrow(|stage| stage.fake.call.clone())
}

pub(crate) async fn sleep(duration: Duration) {
    let until = elapsed().saturating_add(duration);
    let bed = Bed(NEXT_SLEEPER.replace(NEXT_SLEEPER.get() + 1));
    poll_fn(|cx| {
        STAGE.with_borrow_mut(|stage| {
            stage.sleepers.retain(|sleeper| sleeper.id != bed.0);
            if stage.elapsed >= until {
                return Poll::Ready(());
            }
            stage.sleepers.push(Sleeper {
                id: bed.0,
                until,
                waker: cx.waker().clone(),
            });
            Poll::Pending
        })
    })
    .await;
}

/// The place of a sleeper: a sleep that is dropped keeps nobody waiting.
struct Bed(u64);

impl Drop for Bed {
    fn drop(&mut self) {
        STAGE.with_borrow_mut(|stage| stage.sleepers.retain(|sleeper| sleeper.id != self.0));
    }
}
