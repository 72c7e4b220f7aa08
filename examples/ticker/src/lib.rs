//! A module of generators and async functions.

#[proc_guest::module]
mod ticker {
    //! Things that take time, or come one after another.

    use std::time::Duration;

    use futures_util::future::join_all;
    use proc_guest::{Stream, stream, time};

    /// The numbers from 0, `n` of them.
    pub fn count(n: u32) -> impl Iterator<Item = u32> {
        0..n
    }

    /// A number every `interval_ms` milliseconds, from 0, `n` of them.
    pub fn tick(interval_ms: u32, n: u32) -> impl futures_util::Stream<Item = u32> {
        stream::generate(async move |mut items| {
            for number in 0..n {
                time::sleep(Duration::from_millis(interval_ms.into())).await;
                items.send(number).await;
            }
        })
    }

    /// The Fibonacci numbers, as far as 64 bits hold them.
    pub fn fibonacci() -> impl Iterator<Item = u64> {
        let (mut this, mut next) = (Some(0u64), Some(1u64));
        std::iter::from_fn(move || {
            let given = this?;
            (this, next) = (next, next.and_then(|next| next.checked_add(given)));
            Some(given)
        })
    }

    /// The words of `text`, one by one.
    pub fn words(text: &str) -> impl Iterator<Item = Word> {
        text.split_whitespace().scan(0u32, |line, word| {
            *line += 1;
            Some(Word {
                number: *line,
                text: word.to_owned(),
            })
        })
    }

    /// A word and where it stood.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Word {
        /// From 1.
        pub number: u32,
        /// The word itself.
        pub text: String,
    }

    /// Counts down from `from`, and fails at `abort_at` if it comes there.
    pub fn countdown(
        from: u32,
        abort_at: Option<u32>,
    ) -> impl Iterator<Item = Result<u32, String>> {
        (0..=from).rev().map(move |number| {
            if abort_at == Some(number) {
                Err(format!("aborted at {number}"))
            } else {
                Ok(number)
            }
        })
    }

    /// Sleeps for `ms` milliseconds and says so.
    pub async fn slow(ms: u32) -> String {
        time::sleep(Duration::from_millis(ms.into())).await;
        format!("slept {ms} ms")
    }

    /// Fetches every name at once; together they take as long as the slowest.
    pub async fn fetch_all(names: Vec<String>) -> Vec<String> {
        join_all(names.into_iter().map(fetch)).await
    }

    /// Not exported: it is not `pub`.
    async fn fetch(name: String) -> String {
        time::sleep(Duration::from_millis(50)).await;
        format!("<{name}>")
    }

    /// The sum of the numbers that the caller sends.
    pub async fn sum(mut numbers: Stream<u32>) -> u64 {
        let mut sum = 0;
        while let Some(number) = numbers.next().await {
            sum += u64::from(number);
        }
        sum
    }

    /// Sends back the running sum of the numbers that come.
    pub async fn running_sum(mut numbers: Stream<u32>) -> impl futures_util::Stream<Item = u64> {
        stream::generate(async move |mut items| {
            let mut sum = 0;
            while let Some(number) = numbers.next().await {
                sum += u64::from(number);
                items.send(sum).await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::StreamExt;
    use proc_guest::Stream;
    use proc_guest::test::{Fake, block_on, elapsed, with};

    use super::ticker;

    #[test]
    fn generators_are_iterators() {
        assert_eq!(ticker::count(3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(
            ticker::fibonacci().take(7).collect::<Vec<_>>(),
            [0, 1, 1, 2, 3, 5, 8]
        );
        assert_eq!(ticker::fibonacci().last(), Some(12_200_160_415_121_876_738));
        let words: Vec<_> = ticker::words("to be or")
            .map(|word| (word.number, word.text))
            .collect();
        assert_eq!(
            words,
            [(1, "to".into()), (2, "be".into()), (3, "or".into())]
        );
    }

    #[test]
    fn a_countdown_may_fail() {
        let all: Result<Vec<u32>, String> = ticker::countdown(2, None).collect();
        assert_eq!(all, Ok(vec![2, 1, 0]));
        let mut items = ticker::countdown(2, Some(1));
        assert_eq!(items.next(), Some(Ok(2)));
        assert_eq!(items.next(), Some(Err("aborted at 1".to_owned())));
    }

    #[test]
    fn time_passes() {
        with(Fake::new(), || {
            let items = block_on(ticker::tick(1000, 3).collect::<Vec<_>>());
            assert_eq!((items, elapsed()), (vec![0, 1, 2], Duration::from_secs(3)));
        });
        with(Fake::new(), || {
            assert_eq!(block_on(ticker::slow(20)), "slept 20 ms");
            let fetched = block_on(ticker::fetch_all(vec!["a".into(), "b".into()]));
            assert_eq!(fetched, ["<a>", "<b>"]);
            assert_eq!(elapsed(), Duration::from_millis(70));
        });
    }

    #[test]
    fn streams_come_in() {
        assert_eq!(block_on(ticker::sum(Stream::from(vec![1, 2, 39]))), 42);
        let sums = block_on(async {
            ticker::running_sum((1..=4).collect())
                .await
                .collect::<Vec<_>>()
                .await
        });
        assert_eq!(sums, [1, 3, 6, 10]);
    }
}
