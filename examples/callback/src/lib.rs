//! A module that calls back to its caller, and logs.

#[proc_guest::module]
mod callback {
    //! What reaches the caller besides the result.

    use proc_guest::callback::{ask, ask_async};
    use proc_guest::log;
    use serde::{Deserialize, Serialize};

    /// What the caller is asked.
    #[derive(Debug, Serialize, Deserialize)]
    struct Question {
        /// Who is to be greeted.
        name: String,
        /// How many are still to come.
        left: usize,
    }

    /// A greeting for each name, each as the caller words it.
    pub fn greet(names: Vec<String>) -> Result<Vec<String>, String> {
        let mut greetings = Vec::new();
        let mut left = names.len();
        for name in names {
            left -= 1;
            greetings.push(ask(Question { name, left })?);
        }
        Ok(greetings)
    }

    /// The same, while other calls of this instance go on.
    pub async fn greet_async(names: Vec<String>) -> Result<Vec<String>, String> {
        let mut greetings = Vec::new();
        let mut left = names.len();
        for name in names {
            left -= 1;
            greetings.push(ask_async(Question { name, left }).await?);
        }
        Ok(greetings)
    }

    /// Asks the caller for numbers until there are no more, and returns their sum.
    pub fn collect() -> Result<i64, String> {
        let mut sum = 0;
        while let Some(number) = ask::<_, Option<i64>>("next")? {
            sum += number;
        }
        Ok(sum)
    }

    /// Logs a line at each level.
    pub fn chatter(topic: &str) {
        log::trace!("{topic}: each step");
        log::debug!("{topic}: what helps to find a fault");
        log::info!("{topic}: the normal course");
        log::warn!("{topic}: have a look");
        log::error!("{topic}: this went wrong");
    }

    /// Prints a line to stdout and one to stderr; both go to the log.
    #[expect(
        clippy::print_stdout,
        clippy::print_stderr,
        reason = "printing is what it shows"
    )]
    pub fn print(text: &str) {
        println!("{text}");
        eprintln!("{text}, on stderr");
    }

    /// Where this call runs, as the pool and the module are named and the worker is counted.
    pub fn whereabouts() -> String {
        let call = proc_guest::context::current();
        format!("{}.{} on worker {}", call.pool, call.module, call.worker)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;

    use proc_guest::callback::Error;
    use proc_guest::context::Call;
    use proc_guest::log::Level;
    use proc_guest::test::{self, Fake};

    use super::callback;

    fn names() -> Vec<String> {
        vec!["Ada".to_owned(), "Grace".to_owned()]
    }

    #[test]
    fn the_caller_words_it() {
        let fake = || {
            Fake::new().on_callback(|question: BTreeMap<String, ciborium::Value>| {
                format!("hello {}", question["name"].as_text().unwrap_or("nobody"))
            })
        };
        let expected = Ok(vec!["hello Ada".to_owned(), "hello Grace".to_owned()]);
        test::with(fake(), || {
            assert_eq!(callback::greet(names()), expected);
            assert_eq!(test::asked().len(), 2);
        });
        test::with(fake(), || {
            assert_eq!(test::block_on(callback::greet_async(names())), expected)
        });
    }

    #[test]
    fn the_caller_may_fail_or_be_deaf() {
        let fake = Fake::new().try_on_callback(|_: ciborium::Value| -> Result<(), _> {
            Err(Error::Failed("no manners".to_owned()))
        });
        let failed = test::with(fake, || callback::greet(names()));
        assert_eq!(failed, Err("the callback failed: no manners".to_owned()));
        assert_eq!(callback::collect(), Err(Error::Unheard.to_string()));
    }

    #[test]
    fn it_asks_until_there_is_no_more() {
        let left = Cell::new(4i64);
        let fake = Fake::new().on_callback(move |_: String| {
            left.set(left.get() - 1);
            (left.get() > 0).then(|| left.get())
        });
        assert_eq!(test::with(fake, callback::collect), Ok(6));
    }

    #[test]
    fn it_logs_at_each_level() {
        test::with(Fake::new(), || {
            callback::chatter("tea");
            let levels: Vec<Level> = test::logs().iter().map(|entry| entry.level).collect();
            let all = [
                Level::Trace,
                Level::Debug,
                Level::Info,
                Level::Warn,
                Level::Error,
            ];
            assert_eq!(levels, all);
            assert_eq!(test::logs()[3].message, "tea: have a look");
        });
    }

    #[test]
    fn it_knows_where_it_is() {
        let call = Call {
            pool: "Workers".into(),
            module: "callback".into(),
            worker: 2,
            ..Call::default()
        };
        let said = test::with(Fake::new().call(call), callback::whereabouts);
        assert_eq!(said, "Workers.callback on worker 2");
    }
}
