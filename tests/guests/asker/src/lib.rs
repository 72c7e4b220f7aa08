//! Callbacks to the caller: none, one, many, at once, badly made, and at bad moments.

#[proc_guest::module]
mod asker {
    //! Callbacks.

    use std::time::Duration;

    use ciborium::Value;
    use futures_util::future::join_all;
    use proc_guest::callback::{self, ask, ask_async, ask_cbor};
    use proc_guest::{context, stream, time};

    /// Why there was no answer, for the caller to see.
    #[derive(Debug)]
    pub enum Failure {
        Unheard,
        Failed(String),
        Gone,
        Malformed(String),
        Unexpected(String),
    }

    impl From<callback::Error> for Failure {
        fn from(error: callback::Error) -> Self {
            match error {
                callback::Error::Unheard => Self::Unheard,
                callback::Error::Failed(message) => Self::Failed(message),
                callback::Error::Gone => Self::Gone,
                callback::Error::Malformed(why) => Self::Malformed(why),
                other => Self::Unexpected(other.to_string()),
            }
        }
    }

    /// What the running call knows of itself.
    #[derive(Debug)]
    pub struct Whereabouts {
        pub pool: String,
        pub module: String,
        pub worker: u32,
        pub generation: u64,
        pub call: u64,
    }

    /// Asks nothing.
    pub fn none() -> u32 {
        0
    }

    /// Asks one thing; the answer is a text.
    pub fn one(text: &str) -> Result<String, Failure> {
        Ok(ask(text)?)
    }

    /// The same, and other calls go on.
    pub async fn one_async(text: &str) -> Result<String, Failure> {
        Ok(ask_async(text).await?)
    }

    /// Asks for a number `n` times, sending 0, 1, 2, …; the sum of the answers.
    pub fn many(n: u32) -> Result<i64, Failure> {
        let mut sum = 0;
        for number in 0..n {
            sum += ask::<_, i64>(number)?;
        }
        Ok(sum)
    }

    /// The same, and other calls go on.
    pub async fn many_async(n: u32) -> Result<i64, Failure> {
        let mut sum = 0;
        for number in 0..n {
            sum += ask_async::<_, i64>(number).await?;
        }
        Ok(sum)
    }

    /// Asks all at once; the answers in the order of the questions.
    pub async fn parallel(n: u32) -> Result<Vec<i64>, Failure> {
        let answers = join_all((0..n).map(ask_async::<_, i64>)).await;
        Ok(answers.into_iter().collect::<Result<_, _>>()?)
    }

    /// Asks with a record of several kinds of values; returns the answer as it is printed by Rust.
    pub fn record() -> Result<String, Failure> {
        let question = Value::Map(vec![
            ("name".into(), "Ada".into()),
            ("age".into(), 36.into()),
            ("height".into(), 1.7.into()),
            ("tags".into(), Value::Array(vec!["a".into(), "b".into()])),
            ("photo".into(), Value::Bytes(vec![0, 1, 255])),
            ("nothing".into(), Value::Null),
            ("sure".into(), true.into()),
        ]);
        Ok(format!("{:?}", ask::<_, Value>(question)?))
    }

    /// Sends `length` bytes and returns how many come back.
    pub fn bytes(length: u32) -> Result<u32, Failure> {
        match ask(Value::Bytes(vec![7; length as usize]))? {
            Value::Bytes(bytes) => Ok(u32::try_from(bytes.len()).unwrap_or(u32::MAX)),
            other => Err(Failure::Unexpected(format!("{other:?}"))),
        }
    }

    /// Sends bytes as they are, CBOR or not, and returns what comes as it comes.
    pub fn raw(payload: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(ask_cbor(payload)?)
    }

    /// Asks, and traps when it has the answer.
    pub fn then_trap(text: &str) {
        let answer: Result<String, _> = ask(text);
        panic!("the answer was {answer:?}");
    }

    /// Sleeps and then asks; the caller may be gone by then.
    pub async fn after(ms: u64, text: &str) -> Result<String, Failure> {
        time::sleep(Duration::from_millis(ms)).await;
        Ok(ask_async(text).await?)
    }

    /// A generator that asks for each item it gives, until the answer is null.
    pub fn items() -> impl futures_util::Stream<Item = Result<i64, String>> {
        stream::generate(async |mut items| {
            loop {
                match ask_async::<_, Option<i64>>("next").await {
                    Ok(Some(item)) => items.send(Ok(item)).await,
                    Ok(None) => return,
                    Err(error) => return items.send(Err(error.to_string())).await,
                }
            }
        })
    }

    /// What the running call knows of itself.
    pub fn whereabouts() -> Whereabouts {
        let context::Call {
            pool,
            module,
            worker,
            generation,
            call,
        } = context::current();
        Whereabouts {
            pool,
            module,
            worker,
            generation,
            call,
        }
    }

    /// The number of the running call before and after a sleep: it must be the same.
    pub async fn call_twice(ms: u64) -> (u64, u64) {
        let before = context::current().call;
        time::sleep(Duration::from_millis(ms)).await;
        (before, context::current().call)
    }
}
