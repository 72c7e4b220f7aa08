//! Calls that wait, side by side in one instance, and what they saw of each other.

#[proc_guest::module]
mod sleepers {
    //! Calls that wait.

    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    use std::time::Duration;

    use futures_util::future::join_all;
    use proc_guest::{stream, time};

    static ASLEEP: AtomicU32 = AtomicU32::new(0);
    static MOST: AtomicU32 = AtomicU32::new(0);
    static FINISHED: AtomicU64 = AtomicU64::new(0);
    static TURNS: AtomicU64 = AtomicU64::new(0);

    /// Counts as asleep as long as it lives, whether the sleep ends or is cut short.
    struct Asleep;

    impl Asleep {
        fn new() -> Self {
            MOST.fetch_max(
                ASLEEP.fetch_add(1, Ordering::Relaxed) + 1,
                Ordering::Relaxed,
            );
            Self
        }
    }

    impl Drop for Asleep {
        fn drop(&mut self) {
            ASLEEP.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Sleeps, and returns how many sleeps have ended in this instance, this one included.
    pub async fn sleep(ms: u64) -> u64 {
        let _asleep = Asleep::new();
        time::sleep(Duration::from_millis(ms)).await;
        FINISHED.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Sleeps `n` times at once, and returns when all have ended.
    pub async fn sleep_many(ms: u64, n: u32) -> u64 {
        join_all((0..n).map(|_| sleep(ms)))
            .await
            .into_iter()
            .max()
            .unwrap_or(0)
    }

    /// How many sleep now.
    pub fn asleep() -> u32 {
        ASLEEP.load(Ordering::Relaxed)
    }

    /// How many have slept at once at most.
    pub fn most_asleep() -> u32 {
        MOST.load(Ordering::Relaxed)
    }

    /// Takes `steps` turns with a sleep between them; the numbers of the turns among those of all
    /// calls of this instance. Calls that interleave have gaps.
    pub async fn turns(steps: u32, ms: u64) -> Vec<u64> {
        let mut turns = Vec::new();
        for _ in 0..steps {
            turns.push(TURNS.fetch_add(1, Ordering::Relaxed));
            time::sleep(Duration::from_millis(ms)).await;
        }
        turns
    }

    /// An item at each sleep, without end.
    pub fn beats(ms: u64) -> impl futures_util::Stream<Item = u64> {
        stream::generate(async move |mut items| {
            let _asleep = Asleep::new();
            for beat in 0.. {
                time::sleep(Duration::from_millis(ms)).await;
                items.send(beat).await;
            }
        })
    }

    /// Keeps the instance busy, without waiting, for `rounds` rounds.
    pub fn busy(rounds: u64) -> u64 {
        (0..rounds).fold(0, |sum, round| std::hint::black_box(sum ^ round))
    }

    /// The same in an async function, which does not wait either.
    pub async fn busy_async(rounds: u64) -> u64 {
        busy(rounds)
    }
}
