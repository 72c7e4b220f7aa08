//! Streams of every kind, and what became of those who write them.

#[proc_guest::module]
mod generators {
    //! Streams of every kind.

    use std::cell::Cell;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use proc_guest::{Stream, stream, time};

    static PRODUCED: AtomicU64 = AtomicU64::new(0);
    static STARTED: AtomicU64 = AtomicU64::new(0);
    static DROPPED: AtomicU64 = AtomicU64::new(0);

    /// Counts the items of `items`, and notices when it is dropped.
    struct Counted<I>(I);

    impl<I> Counted<I> {
        fn new(items: I) -> Self {
            STARTED.fetch_add(1, Ordering::Relaxed);
            Self(items)
        }
    }

    impl<I: Iterator> Iterator for Counted<I> {
        type Item = I::Item;

        fn next(&mut self) -> Option<I::Item> {
            let item = self.0.next()?;
            PRODUCED.fetch_add(1, Ordering::Relaxed);
            Some(item)
        }
    }

    impl<I> Drop for Counted<I> {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What became of the generators of this instance.
    #[derive(Debug, Clone, Copy)]
    pub struct Counts {
        /// The items they produced, taken or not.
        pub produced: u64,
        /// How many began.
        pub started: u64,
        /// How many ended or were dropped.
        pub dropped: u64,
    }

    /// A place with a name.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Place {
        pub name: String,
        pub x: f64,
        pub y: f64,
        pub tags: Vec<String>,
        pub height: Option<u32>,
    }

    /// One of several things.
    #[derive(Debug, Clone, PartialEq)]
    pub enum Thing {
        Nothing,
        Number(u32),
        Named(String),
        At(Place),
        Pair(u32, String),
    }

    /// What became of the generators so far.
    pub fn counts() -> Counts {
        Counts {
            produced: PRODUCED.load(Ordering::Relaxed),
            started: STARTED.load(Ordering::Relaxed),
            dropped: DROPPED.load(Ordering::Relaxed),
        }
    }

    /// The numbers below `n`.
    pub fn range(n: u32) -> impl Iterator<Item = u32> {
        Counted::new(0..n)
    }

    /// Numbers without end.
    pub fn endless() -> impl Iterator<Item = u32> {
        Counted::new((0..=u32::MAX).cycle())
    }

    /// Larger numbers without end.
    pub fn endless64() -> impl Iterator<Item = u64> {
        Counted::new(0..u64::MAX)
    }

    /// Nothing at all.
    pub fn empty() -> impl Iterator<Item = u32> {
        Counted::new(std::iter::empty())
    }

    /// One byte at a time, `n` of them.
    pub fn octets(n: u32) -> impl Iterator<Item = u8> {
        Counted::new((0..n).map(|index| index.to_le_bytes()[0]))
    }

    /// Truth and falsehood by turns.
    pub fn flips(n: u32) -> impl Iterator<Item = bool> {
        Counted::new((0..n).map(|index| index.is_multiple_of(2)))
    }

    /// `item 0`, `item 1`, …
    pub fn texts(n: u32) -> impl Iterator<Item = String> {
        Counted::new((0..n).map(|index| format!("item {index}")))
    }

    /// Chunks of `size` bytes, `n` of them, each filled with its number.
    pub fn chunks(n: u32, size: u32) -> impl Iterator<Item = Vec<u8>> {
        Counted::new((0..n).map(move |index| vec![index.to_le_bytes()[0]; size as usize]))
    }

    /// Records.
    pub fn places(n: u32) -> impl Iterator<Item = Place> {
        Counted::new((0..n).map(place))
    }

    /// Variants, each case in turn.
    pub fn things(n: u32) -> impl Iterator<Item = Thing> {
        Counted::new((0..n).map(|index| match index % 5 {
            0 => Thing::Nothing,
            1 => Thing::Number(index),
            2 => Thing::Named(format!("thing {index}")),
            3 => Thing::At(place(index)),
            _ => Thing::Pair(index, format!("pair {index}")),
        }))
    }

    /// Items of more than 128 bytes each in memory.
    pub fn wide(n: u32) -> impl Iterator<Item = Wide> {
        Counted::new((0..n).map(|index| Wide {
            first: place(index),
            second: place(index + 1),
            third: place(index + 2),
            number: u64::from(index),
        }))
    }

    /// Three places and a number.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Wide {
        pub first: Place,
        pub second: Place,
        pub third: Place,
        pub number: u64,
    }

    fn place(index: u32) -> Place {
        Place {
            name: format!("place {index}"),
            x: f64::from(index),
            y: -f64::from(index),
            tags: vec!["tag".to_owned(); (index % 3) as usize],
            height: index.is_multiple_of(2).then_some(index),
        }
    }

    /// An item each `ms` milliseconds, `n` of them.
    pub fn slow(n: u32, ms: u64) -> impl futures_util::Stream<Item = u32> {
        stream::generate(async move |mut items| {
            for item in Counted::new(0..n) {
                time::sleep(Duration::from_millis(ms)).await;
                items.send(item).await;
            }
        })
    }

    /// Traps in place of item `at`.
    pub fn traps(at: u32) -> impl Iterator<Item = u32> {
        Counted::new((0..).inspect(move |item| assert!(*item != at, "no item {at}")))
    }

    /// Fails in place of item `at`, if there is one among the `n`.
    pub fn fails(n: u32, at: Option<u32>) -> impl Iterator<Item = Result<u32, String>> {
        Counted::new((0..n).map(move |item| {
            if at == Some(item) {
                Err(format!("no item {item}"))
            } else {
                Ok(item)
            }
        }))
    }

    /// Fails with a value, after one item.
    pub fn fails_with() -> impl Iterator<Item = Result<Place, Thing>> {
        Counted::new([Ok(place(0)), Err(Thing::Pair(7, "seven".to_owned()))].into_iter())
    }

    /// Works `rounds` rounds for each item, without waiting.
    pub fn laborious(n: u32, rounds: u64) -> impl Iterator<Item = u64> {
        Counted::new(
            (0..n)
                .map(move |_| (0..rounds).fold(0, |sum, round| std::hint::black_box(sum ^ round))),
        )
    }

    /// Counts the items that come, and their sum.
    pub async fn total(mut items: Stream<u32>) -> (u64, u64) {
        let (mut count, mut sum) = (0, 0);
        while let Some(item) = items.next().await {
            count += 1;
            sum += u64::from(item);
        }
        (count, sum)
    }

    /// Takes the first `n` items that come and no more.
    pub async fn first(mut items: Stream<String>, n: u32) -> Vec<String> {
        let mut taken = Vec::new();
        while taken.len() < n as usize
            && let Some(item) = items.next().await
        {
            taken.push(item);
        }
        taken
    }

    /// The names of the places that come.
    pub async fn names(mut places: Stream<Place>) -> Vec<String> {
        let mut names = Vec::new();
        while let Some(place) = places.next().await {
            names.push(place.name);
        }
        names
    }

    /// Sends back each number that comes, doubled.
    pub async fn doubled(mut numbers: Stream<u32>) -> impl futures_util::Stream<Item = u64> {
        stream::generate(async move |mut items| {
            while let Some(number) = numbers.next().await {
                items.send(u64::from(number) * 2).await;
            }
        })
    }

    /// The items of two streams by turns.
    pub async fn zipped(
        mut left: Stream<u32>,
        mut right: Stream<String>,
    ) -> impl futures_util::Stream<Item = (u32, String)> {
        stream::generate(async move |mut items| {
            while let Some(number) = left.next().await
                && let Some(text) = right.next().await
            {
                items.send((number, text)).await;
            }
        })
    }

    thread_local! {
        static LAST: Cell<u32> = const { Cell::new(0) };
    }

    /// A number that each call of this instance moves on: state beside the streams.
    pub fn next() -> u32 {
        LAST.set(LAST.get() + 1);
        LAST.get()
    }
}
